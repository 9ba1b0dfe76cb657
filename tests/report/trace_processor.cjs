// Perfetto's trace processor (WebAssembly) under node: node trace_processor.cjs WEB_DIST < requests > replies
// Both are streams of TraceProcessorRpc messages; the engine is a web worker, so it gets a worker's surroundings.
const fs = require("fs");
const path = require("path");
const vm = require("vm");

function fail(error) {
  console.error(String((error && error.stack) || error).slice(-2000)); // the engine is one line of 150 kB
  process.exit(1);
}
process.on("uncaughtException", fail).on("unhandledRejection", fail);

const folder = process.argv[2];

class XMLHttpRequest {
  open(_method, url) {
    this.url = url;
  }
  send() {
    this.status = 200;
    const bytes = fs.readFileSync(path.join(folder, path.basename(this.url)));
    this.response = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    if (this.onload) this.onload();
  }
}

const surroundings = {
  console: { log: console.error, warn: console.error, error: console.error },
  XMLHttpRequest, TextDecoder, TextEncoder, URL, performance, setTimeout, clearTimeout,
  importScripts() {},
  WorkerGlobalScope: class {},
  location: { href: "engine_bundle.js" },
};
surroundings.self = surroundings.globalThis = surroundings;
vm.createContext(surroundings);
vm.runInContext(fs.readFileSync(path.join(folder, "engine_bundle.js"), "utf8"), surroundings);

const port = { postMessage: (bytes) => fs.writeSync(1, bytes) };
surroundings.self.onmessage({ data: port });
const requests = vm.runInContext("(bytes) => new Uint8Array(bytes)", surroundings)(fs.readFileSync(0));

setTimeout(() => port.onmessage({ data: requests }), 0); // once the engine's own promises have run
