"use strict";
/** A trip began (first output) or ended (second output), as the agent saw it. */
module.exports = (RED) => {
  RED.nodes.registerType("kerbside-trip", function Trip(config) {
    RED.nodes.createNode(this, config);
    const { car } = RED.settings.kerbside;
    const take = ({ phase, data }) => {
      const msg = { topic: `trip.${phase}`, payload: data };
      this.send(phase === "started" ? [msg, null] : [null, msg]);
    };
    car.on("trip", take);
    this.on("close", () => car.off("trip", take));
  });
};
