"use strict";
/** A signal of the car: one message for each value, `topic` its VSS name. */
module.exports = (RED) => {
  RED.nodes.registerType("kerbside-signal-in", function SignalIn(config) {
    RED.nodes.createNode(this, config);
    const { car } = RED.settings.kerbside;
    let last;
    const take = ({ bootMs, values }) => {
      const payload = values[config.signal];
      if (payload === undefined || (config.changes && payload === last)) return;
      last = payload;
      this.send({ topic: config.signal, payload, bootMs });
    };
    car.on("signals", take);
    this.on("close", () => car.off("signals", take));
  });
};
