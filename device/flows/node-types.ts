/**
 * The node types a flow may be made of. Nodes for files, processes and the network are not among them: they could do
 * nothing in the cage, and whoever draws a rule should hear that before it is in a car.
 */

/** Our own nodes that the checks look into, as the palette names them. */
export const SIGNAL_IN = "kerbside-signal-in";
export const EVENT_OUT = "kerbside-event-out";

export const NODE_TYPES: ReadonlySet<string> = new Set([
  SIGNAL_IN,
  EVENT_OUT,
  "kerbside-geofence",
  "kerbside-trip",
  ...["tab", "group", "comment", "junction", "inject", "debug", "complete", "catch", "status"],
  ...["link in", "link out", "link call", "function", "switch", "change", "range", "delay"],
  ...["trigger", "rbe", "split", "join", "sort", "batch", "json"],
]);

/** Files of Node-RED's core nodes that have no place in a car; it does not load them. */
export const EXCLUDED_NODES: readonly string[] = [
  ...["90-exec.js", "80-template.js", "10-file.js", "23-watch.js", "05-tls.js", "10-mqtt.js"],
  ...["06-httpproxy.js", "21-httpin.js", "21-httprequest.js", "22-websocket.js", "31-tcpin.js"],
  ...["32-udp.js", "70-CSV.js", "70-HTML.js", "70-XML.js", "70-YAML.js", "91-global-config.js"],
];
