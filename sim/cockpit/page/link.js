/** The cockpit's API: the key, requests, and the stream of what the car does. */
const STORED = "kerbside-cockpit-key";
const RETRY_MS = 1000;

let key = "";

/** From the link that opened the page (and out of the address bar at once), or from before. */
export function findKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given !== null) history.replaceState(null, "", location.pathname);
  key = given ?? sessionStorage.getItem(STORED) ?? "";
  return key !== "";
}

export function useKey(next) {
  key = next.trim();
}

export function keepKey() {
  sessionStorage.setItem(STORED, key);
}

export function forgetKey() {
  key = "";
  sessionStorage.removeItem(STORED);
}

/** Resolves with the status and the JSON of the answer; status 0 where nobody answers. */
export async function ask(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  } catch {
    return { status: 0, body: { detail: "the simulator does not answer" } };
  }
}

/** Server-sent events by fetch, which can show the key; EventSource cannot. Goes on until the key is refused. */
export async function watch(handlers) {
  for (;;) {
    try {
      const response = await fetch("/api/live", { headers: { authorization: `Bearer ${key}` } });
      if (response.status === 401) return handlers.refused();
      if (response.ok && response.body !== null) await readEvents(response.body, handlers);
    } catch {
      // Told below, as any end of the stream.
    }
    handlers.lost();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function readEvents(stream, handlers) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
      if (name !== undefined) handlers[name]?.(JSON.parse(data));
    }
  }
}
