// The connection to the app: events come in, wishes go out; files go up and come down.

export const key = sessionStorage.getItem("pxs-session") ||
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
sessionStorage.setItem("pxs-session", key);

let socket = null;

// Connects, and connects again whenever the connection is lost. `handlers.event` gets each event, `handlers.lost` is
// called with true where the app runs but has another token, with false where it does not run.
export function connect(handlers) {
  const address = new URL(`live?session=${key}`, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  socket = new WebSocket(address);
  socket.onmessage = (message) => handlers.event(JSON.parse(message.data));
  socket.onclose = async () => {
    socket = null;
    const answer = await fetch("alive").catch(() => null);
    if (!answer?.ok) handlers.lost(answer?.status === 404);
    setTimeout(() => connect(handlers), 1000);
  };
}

export function wish(what, facts = {}) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ do: what, ...facts }));
}

async function asked(path, options) {
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Error("The app could not be reached, or the file is too large for it.");
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || `The app answered ${answer.status}.`);
  return answer;
}

export function post(path, body, headers = {}) {
  return asked(path, { method: "POST", body, headers: { "X-Session": key, ...headers } });
}

export const upload = (blob, name, domain) =>
  post("picture", blob, { "X-Name": encodeURIComponent(name), "X-Domain": domain });

export const fetched = (path) => asked(path, { headers: { "X-Session": key } });

// Saves a file of the app under the name that the app gives it.
export async function save(path) {
  const answer = await fetched(path);
  const name = decodeURIComponent(answer.headers.get("Content-Disposition").split("''")[1]);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return name;
}
