// Reads a job from one JSON file and writes the answer to another: `node main.mjs JOB ANSWER`.
//
//   {"command": "prove", "shape", "cases": [{"stated", "witness"}], "cache"?}   {"attempts": [{"proof": base64} or {"why"}, ...]}
//   {"command": "verify", "shape", "cases": [{"stated", "proof"}]}              {"accepted": [boolean, ...]}
//   {"command": "key", "shape"}                                                 {"data", "hash", "circuit", "o1js"}
//
// A case that is not true has no proof, but a reason. Numbers are decimal text. Nothing here uses the network.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { Cache, setBackend, verify } from "o1js";
import { Public, marginProgram } from "./circuit.mjs";

const commands = {
  async prove({ shape, cases, cache }) {
    const { program, Secret } = marginProgram(shape);
    const { verificationKey } = await program.compile({ cache: cache ? Cache.FileSystem(cache) : Cache.None });
    if (verificationKey.data !== pinnedKey(shape).data) throw new Error("this circuit has another key than the pinned");
    const attempts = [];
    for (const one of cases) attempts.push(await attempt(program, Secret, one, verificationKey));
    return { attempts };
  },

  async verify({ shape, cases }) {
    const key = pinnedKey(shape).data;
    const accepted = [];
    for (const { stated, proof } of cases) accepted.push(await isAccepted(claim(stated, proof), key));
    return { accepted };
  },

  async key({ shape, cache }) {
    const { program } = marginProgram(shape);
    const { verificationKey } = await program.compile({ cache: cache ? Cache.FileSystem(cache) : Cache.None });
    return { data: verificationKey.data, hash: verificationKey.hash.toString(), ...madeOf() };
  },
};

/** Kimchi refuses most false cases while it fills the circuit in; its own verifier has the last word. */
async function attempt(program, Secret, { stated, witness }, key) {
  try {
    const { proof } = await program.margin(Public.fromJSON(stated), Secret.fromJSON(witness));
    const text = proof.toJSON().proof;
    return (await verify(claim(stated, text), key)) ? { proof: text } : { why: "it does not verify" };
  } catch (error) {
    return { why: String(error.message).slice(0, 300) };
  }
}

/** A proof that cannot even be read proves nothing. */
async function isAccepted(proof, key) {
  try {
    return await verify(proof, key);
  } catch {
    return false;
  }
}

/** A proof with what it has to prove: its own word for that is not asked. */
function claim(stated, proof) {
  const publicInput = Public.toFields(Public.fromJSON(stated)).map(String);
  return { publicInput, publicOutput: [], maxProofsVerified: 0, proof };
}

function pinnedKey({ legs, scenarios }) {
  return JSON.parse(readFileSync(new URL(`../keys/${legs}x${scenarios}.json`, import.meta.url), "utf8"));
}

/** What a key depends on: a test holds pinned keys against the files that stand here. */
function madeOf() {
  const text = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
  const circuit = createHash("sha256").update(text("circuit.mjs")).digest("hex");
  return { circuit, o1js: JSON.parse(text("../package.json")).dependencies.o1js };
}

/** The compiled prover where there is one for this machine, which is about four times as fast; else WebAssembly. */
function chooseBackend() {
  if (process.env.O1JS_BACKEND) return;
  try {
    createRequire(import.meta.url).resolve(`@o1js/native-${process.platform}-${process.arch}`);
    setBackend("native");
  } catch {
    setBackend("wasm");
  }
}

chooseBackend();
const [jobPath, answerPath] = process.argv.slice(2);
const job = JSON.parse(readFileSync(jobPath, "utf8"));
writeFileSync(answerPath, JSON.stringify(await commands[job.command](job)) + "\n");
process.exit(0); // Threads of the prover would keep it alive.
