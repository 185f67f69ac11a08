// Attached: something else runs the sidecar, and we are one of its clients.

import { Unavailable } from "../rpc/errors.js";
import { readLock, readToken } from "./lock.js";
import { connectSocket } from "./socket.js";

export class AttachRunner {
  /** Without `url` the sidecar is found through the lock file in `folder`. */
  constructor({ url, tokenFile, folder }) {
    this.name = "attach";
    this.document = undefined;
    this.ownsProcess = false;
    this.#url = url;
    this.#tokenFile = tokenFile;
    this.#folder = folder;
  }

  #url;
  #tokenFile;
  #folder;

  async connect(on) {
    const lock = this.#folder ? readLock(this.#folder) : null;
    const url = this.#url ?? lock?.url;
    if (!url) {
      throw new Unavailable("No sidecar is running here; start one, or set sidecar.url.");
    }
    return attached(await connectSocket({ url, token: this.#token(lock, url), ...on }));
  }

  #token(lock, url) {
    const own = lock !== null && lock.url === url ? lock.tokenFile : null;
    const file = this.#tokenFile ?? own;
    if (!file) {
      const token = process.env.VOICECALL_RPC_TOKEN?.trim();
      if (token) return token;
      throw new Unavailable("The sidecar's token is not known; set sidecar.tokenFile.");
    }
    return tokenIn(file);
  }
}

/** A link that leaves the sidecar alone when the Gateway stops. */
export function attached(socket) {
  return {
    send: socket.send,
    close: socket.close,
    kill: socket.close,
    stop: async () => socket.close(),
  };
}

export function tokenIn(file) {
  try {
    return readToken(file);
  } catch {
    throw new Unavailable(`The sidecar's token file ${file} cannot be read.`);
  }
}
