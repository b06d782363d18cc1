// What the contracts promise to readers and to other people's programs: documentation, the ERC's interface, a clean
// lock file.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import solc from "solc";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const json = (...path) => JSON.parse(readFileSync(join(root, ...path), "utf8"));

function interfaces() {
  const sources = Object.fromEntries(
    readdirSync(join(root, "src/interfaces")).map((name) => [
      `src/interfaces/${name}`,
      { content: readFileSync(join(root, "src/interfaces", name), "utf8") },
    ]),
  );
  const outputSelection = { "*": { "*": ["abi", "userdoc", "evm.methodIdentifiers"] } };
  const output = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings: { outputSelection } })));
  assert.deepEqual(output.errors ?? [], []);
  return Object.values(output.contracts).flatMap((named) => Object.entries(named));
}

const signature = ({ name, inputs }) => `${name}(${inputs.map(canonical).join(",")})`;
const canonical = ({ type, components }) =>
  components ? type.replace("tuple", `(${components.map(canonical).join(",")})`) : type;

test("every function, error and event of an interface says what it is", () => {
  for (const [name, { abi, userdoc }] of interfaces()) {
    const documented = { function: userdoc.methods, error: userdoc.errors, event: userdoc.events };
    for (const entry of abi) {
      const doc = documented[entry.type]?.[signature(entry)];
      const notice = Array.isArray(doc) ? doc[0].notice : doc?.notice;
      assert.ok(notice, `${name}: ${entry.type} ${signature(entry)} has no @notice`);
    }
  }
});

test("every line of the contracts fits 120 columns", () => {
  for (const name of readdirSync(join(root, "src"), { recursive: true }).filter((name) => name.endsWith(".sol"))) {
    readFileSync(join(root, "src", name), "utf8")
      .split("\n")
      .forEach((line, i) => assert.ok([...line].length <= 120, `src/${name}:${i + 1} has ${line.length} columns`));
  }
});

test("the identity registry has the published one's functions and events", () => {
  const published = json("node_modules/ethr-did-registry/artifacts/contracts/EthereumDIDRegistry.sol/EthereumDIDRegistry.json");
  const ours = json("artifacts/EthereumDIDRegistry.json");
  assert.deepEqual(shape(ours.abi), shape(published.abi));
});

// Names of a getter's parameters are the compiler's affair: mappings had none when the published registry was compiled.
function shape(abi) {
  const getters = ["owners", "delegates", "changed", "nonce"];
  return abi
    .filter(({ type }) => type === "function" || type === "event")
    .map(({ type, name, inputs, outputs, stateMutability, anonymous }) => ({
      type,
      name,
      inputs: inputs.map((input) => [getters.includes(name) ? "" : input.name, input.type, input.indexed]),
      outputs: outputs?.map((output) => output.type),
      stateMutability,
      anonymous,
    }))
    .sort((a, b) => (`${a.type} ${a.name}` < `${b.type} ${b.name}` ? -1 : 1));
}

test("each contract is far below the size a network accepts", () => {
  for (const name of readdirSync(join(root, "artifacts"))) {
    const { deployedBytecode } = json("artifacts", name);
    assert.ok(deployedBytecode.length / 2 < 24_576, `${name}: ${deployedBytecode.length / 2} bytes`);
  }
});

test("the artifacts are of the pinned compiler and the oldest supported network", () => {
  const pinned = json("package.json").devDependencies.solc;
  assert.equal(createRequire(import.meta.url)("solc/package.json").version, pinned);
  for (const name of readdirSync(join(root, "artifacts"))) {
    const { compiler } = json("artifacts", name);
    assert.ok(compiler.version.startsWith(`${pinned}+`), name);
    assert.equal(compiler.settings.evmVersion, "london", name);
    assert.equal(compiler.settings.metadata.bytecodeHash, "none", name);
  }
});

test("the lock file names no registry of its own", () => {
  for (const [path, { resolved }] of Object.entries(json("package-lock.json").packages)) {
    assert.ok(resolved === undefined || resolved.startsWith("https://registry.npmjs.org/"), path);
  }
});
