"use strict";
/** Proposes an event: `payload` holds exactly the fields that the flow file declares for it. */
module.exports = (RED) => {
  RED.nodes.registerType("kerbside-event-out", function EventOut(config) {
    RED.nodes.createNode(this, config);
    let count = 0;
    this.on("input", (msg, _send, done) => {
      // The editor says what a car would do with it; in a car nobody is there to read that.
      const said = RED.settings.kerbside.propose(this.id, config.event, msg.payload);
      count += 1;
      this.status({ fill: "blue", shape: "dot", text: said ?? `${count} proposed` });
      done();
    });
  });
};
