// The circuit: an account's worst loss over committed rows of R is at most `loss`, its collateral at least `collateral`.
//
//   slack_s = loss + Σᵢ nᵢ · (F_is + [nᵢ < 0])  in [0, 2¹⁴⁰)       for every scenario s
//   held − collateral                           in [0, 2¹²⁸)
//
// nᵢ and F_is are 64-bit, so a term is below 2¹²⁷ and the sum of 64 of them below 2¹³³: the field has 254 bits, and a
// slack below zero is far beyond 2¹⁴⁰. What is committed is told in src/crossmargin/proofs/zk/commitments.py.
import { Bool, Field, Gadgets, Poseidon, Provable, Struct, ZkProgram } from "o1js";

export const DEPTH = 12; // Levels of the tree of rows: up to 4,096.
const HALF = 1n << 63n;
const WORD = 1n << 64n;
const PER_FIELD = 3; // 64-bit numbers in a field element.
const ACCOUNT_TAG = 0x31n;

/** What everybody sees: halves of the epoch's digest, the root of R, the account's commitment and id, both bounds. */
export class Public extends Struct({
  headHigh: Field,
  headLow: Field,
  rowsRoot: Field,
  commitment: Field,
  idHigh: Field,
  idLow: Field,
  loss: Field,
  collateral: Field,
}) {}

/** How many field elements hold a row of so many scenarios. */
export const packedLength = (scenarios) => Math.ceil(scenarios / PER_FIELD);

/** The program for accounts of up to `legs` legs over up to `scenarios` scenarios. */
export function marginProgram({ legs, scenarios }) {
  const length = packedLength(scenarios);
  const Secret = Struct({
    salt: Field,
    held: Field,
    lots: Provable.Array(Field, legs),
    index: Provable.Array(Field, legs),
    rows: Provable.Array(Provable.Array(Field, length), legs),
    row_salts: Provable.Array(Field, legs),
    paths: Provable.Array(Provable.Array(Field, DEPTH), legs),
  });
  const program = ZkProgram({
    name: `crossmargin-${legs}x${scenarios}`,
    publicInput: Public,
    methods: {
      margin: {
        privateInputs: [Secret],
        async method(stated, secret) {
          constrain(stated, secret, scenarios);
        },
      },
    },
  });
  return { program, Secret };
}

function constrain(stated, secret, scenarios) {
  const limbs = []; // Checked to be below 2¹² at the end, three to a gate.
  const totals = Array.from({ length: scenarios }, () => Field(0));
  const packed = [];
  let offset = Field(0); // Σ n · ([n < 0] − 2⁶³), for F stands 2⁶³ higher in its row.
  secret.lots.forEach((lots, i) => {
    const raised = lots.add(HALF).seal();
    const negative = isNegative(raised, limbs);
    offset = offset.add(lots.mul(negative.toField())).sub(lots.mul(HALF));
    const numbers = unpack(secret.rows[i], scenarios);
    for (let s = 0; s < scenarios; s++) totals[s] = totals[s].add(lots.mul(numbers[s]));
    const leaf = Poseidon.hash([secret.row_salts[i], ...secret.rows[i]]);
    const root = rootFrom(leaf, secret.index[i], secret.paths[i]);
    root.sub(stated.rowsRoot).mul(lots).assertEquals(0); // No lots, no loss: of those any row will do.
    packed.push(raised.add(secret.index[i].mul(WORD)).seal());
  });
  const content = [Field(ACCOUNT_TAG), secret.salt, stated.idHigh, stated.idLow, secret.held, ...packed];
  Poseidon.hash(content).assertEquals(stated.commitment);
  offset = offset.add(stated.loss).seal();
  for (const total of totals) limbs.push(splitWide(total.add(offset)));
  for (const amount of [stated.loss, secret.held, secret.held.sub(stated.collateral)]) checkAmount(amount);
  for (let i = 0; i < limbs.length; i += 3) {
    Gadgets.rangeCheck3x12(limbs[i], limbs[i + 1] ?? Field(0), limbs[i + 2] ?? Field(0));
  }
}

/** Whether n < 0, of n + 2⁶³, which this makes sure is a 64-bit number: its top bit, apart from the 11 bits below. */
function isNegative(raised, limbs) {
  const [top] = Gadgets.rangeCheck64(raised);
  const negative = Provable.witness(Bool, () => Bool(top.toBigInt() < 2048n));
  const below = top.sub(2048n).add(negative.toField().mul(2048n));
  limbs.push(below.mul(2n).seal()); // Twice a number below 2¹² is below 2¹² where the number is below 2¹¹, and ≥ 0.
  return negative;
}

/** The 64-bit numbers of a packed row, each checked to be one. */
function unpack(row, scenarios) {
  return row.flatMap((packed, at) => {
    const count = Math.min(PER_FIELD, scenarios - at * PER_FIELD);
    const parts = Provable.witness(Provable.Array(Field, count), () => words(packed.toBigInt(), count));
    parts.forEach((part) => Gadgets.rangeCheck64(part));
    join(parts).assertEquals(packed);
    return parts;
  });
}

/** The root that a leaf leads to from the place `index`. */
function rootFrom(leaf, index, path) {
  const bits = index.toBits(DEPTH);
  let node = leaf;
  path.forEach((sibling, level) => {
    const left = Provable.if(bits[level], sibling, node).seal();
    const right = node.add(sibling).sub(left).seal();
    node = Poseidon.hash([left, right]);
  });
  return node;
}

/** Makes sure that a number is below 2¹⁴⁰ but for its bits from 2¹²⁸, which are returned. */
function splitWide(number) {
  const sealed = number.seal();
  const parts = Provable.witness(Provable.Array(Field, 3), () => words(sealed.toBigInt(), 3, 12));
  Gadgets.rangeCheck64(parts[0]);
  Gadgets.rangeCheck64(parts[1]);
  join(parts).assertEquals(sealed);
  return parts[2];
}

/** Makes sure that a number is in [0, 2¹²⁸). */
function checkAmount(amount) {
  const sealed = amount.seal();
  const parts = Provable.witness(Provable.Array(Field, 2), () => words(sealed.toBigInt(), 2));
  parts.forEach((part) => Gadgets.rangeCheck64(part));
  join(parts).assertEquals(sealed);
}

function words(number, count, topBits = 64) {
  const masks = Array.from({ length: count }, (_, k) => (1n << BigInt(k === count - 1 ? topBits : 64)) - 1n);
  return masks.map((mask, k) => Field((number >> BigInt(64 * k)) & mask));
}

function join(parts) {
  return parts.reduce((sum, part, k) => sum.add(part.mul(1n << BigInt(64 * k))), Field(0));
}
