// What bounds a generation, operation by operation as model/shape.py, referee/roofline.py and referee/fits.py have it: a test
// compares the two bit by bit. What Python counts in whole numbers is a BigInt here, since a double holds no more than 2^53 of
// them exactly, and becomes a double (rounded to even, in both languages) where Python's becomes one. Bits a weight are powers
// of two or no whole number, so that multiplying by them after that step gives what Python has, which does it before.

const smaller = (a, b) => (a < b ? a : b);
const larger = (a, b) => (a > b ? a : b);

/** A shape from the page's data: every number and flag a BigInt. */
function shapeOf(fields) {
  const counted = ([name, value]) => {
    if (value === null || typeof value === "string") return [name, value];
    return [name, typeof value === "object" ? shapeOf(value) : BigInt(value)];
  };
  return Object.fromEntries(Object.entries(fields).map(counted));
}

// model/shape.py

const mlp = (shape, width) => (shape.gated ? 3n : 2n) * shape.hidden * width;

function attention(shape) {
  const { hidden, heads, kv_heads, head_dim, latent } = shape;
  if (latent === null) return 2n * hidden * head_dim * (heads + kv_heads);
  const queries = heads * head_dim;
  const made = heads * (head_dim - latent.rope_dim + latent.value_dim);
  return (latent.q_rank ? latent.q_rank * (hidden + queries) : hidden * queries)
    + hidden * (latent.kv_rank + latent.rope_dim)
    + latent.kv_rank * made
    + heads * latent.value_dim * hidden;
}

function layerMatrices(shape, experts) {
  let sparse = shape.hidden * shape.experts + experts * mlp(shape, shape.expert_intermediate);
  if (shape.shared_intermediate) sparse += mlp(shape, shape.shared_intermediate) + shape.shared_gate * shape.hidden;
  return shape.layers * attention(shape)
    + (shape.layers - shape.sparse_layers) * mlp(shape, shape.intermediate)
    + shape.sparse_layers * sparse;
}

function layerVectors(shape, experts) {
  const norms = shape.norms_per_layer * shape.norm_vectors * shape.hidden + shape.attention_vectors;
  const biases = shape.qkv_bias * shape.head_dim * (shape.heads + 2n * shape.kv_heads)
    + shape.output_bias * shape.hidden
    + shape.mlp_bias * ((1n + shape.gated) * shape.intermediate + shape.hidden);
  const expertBiases = shape.expert_bias
    * (shape.experts + experts * ((1n + shape.gated) * shape.expert_intermediate + shape.hidden));
  return shape.layers * (norms + biases) + shape.sparse_layers * expertBiases;
}

const headParameters = (shape) => shape.vocab * shape.hidden;

const finalNorm = (shape) => (1n + shape.embedding_norms) * shape.norm_vectors * shape.hidden;

function parameters(shape) {
  return (shape.vocab + shape.learned_positions) * shape.hidden
    + layerMatrices(shape, shape.experts) + layerVectors(shape, shape.experts)
    + finalNorm(shape)
    + (shape.tied ? 0n : headParameters(shape)) + shape.head_bias * shape.vocab;
}

function parametersRead(shape) {
  return layerMatrices(shape, shape.active_experts) + layerVectors(shape, shape.active_experts)
    + finalNorm(shape)
    + headParameters(shape) + shape.head_bias * shape.vocab;
}

const pairWidth = (shape) => shape.heads * (shape.head_dim + (shape.latent ? shape.latent.value_dim : shape.head_dim));

const keptValues = (shape) =>
  shape.latent ? shape.latent.kv_rank + shape.latent.rope_dim : 2n * shape.kv_heads * shape.head_dim;

// referee/roofline.py

/** Sum of min(n, cap) over the `count` whole numbers from `first` on; no `cap` is null. */
function sumOfMinima(first, count, cap) {
  const growing = cap === null ? count : smaller(count, larger(0n, cap - first + 1n));
  const total = growing * first + (growing * (growing - 1n)) / 2n;
  return growing === count ? total : total + (count - growing) * cap;
}

function sumOfRemainders(count, length) {
  const chunks = count / length;
  const rest = count % length;
  return chunks * ((length * (length - 1n)) / 2n) + (rest * (rest - 1n)) / 2n;
}

/** Positions before their own that `steps` new ones attend to in all layers, the first with `cached` before it. */
function earlier(shape, cached, steps) {
  const everything = sumOfMinima(cached, steps, null);
  const window = shape.sliding_window;
  if (window === null) return shape.layers * everything;
  const near = shape.chunked
    ? sumOfRemainders(cached + steps, window) - sumOfRemainders(cached, window)
    : sumOfMinima(cached, steps, window - 1n);
  return shape.windowed_layers * near + (shape.layers - shape.windowed_layers) * everything;
}

const weightBytes = (shape, precision) => (Number(parametersRead(shape)) * precision.weight_bits) / 8;

function kvBytes(shape, precision, batch, cached, steps = 1n) {
  return ((Number(batch * keptValues(shape)) * precision.kv_bits) / 8) * Number(earlier(shape, cached, steps));
}

function floorOf(traffic, ops, passes, machine, precision) {
  const memory = traffic / machine.bandwidth;
  const compute = machine.peak ? Number(ops) / (machine.peak * precision.peak_factor) : 0;
  const uncached = Math.max(0, traffic - Number(passes) * machine.cache) / machine.bandwidth;
  const least = Math.max(Math.min(uncached, memory / LIMITS.tolerance), compute / LIMITS.tolerance);
  return { traffic, seconds: Math.max(memory, compute), least, bound: memory >= compute ? "bandwidth" : "peak" };
}

function prefillFloor(shape, precision, machine, batch, prompt) {
  const pairs = earlier(shape, 0n, prompt) + shape.layers * prompt;
  const ops = batch * (
    2n * prompt * layerMatrices(shape, shape.active_experts) + 2n * headParameters(shape) + 2n * pairWidth(shape) * pairs
  );
  return floorOf(weightBytes(shape, precision), ops, 1n, machine, precision);
}

function decodeFloor(shape, precision, machine, batch, cached, steps) {
  const pairs = earlier(shape, cached, steps) + shape.layers * steps;
  const ops = batch * (
    2n * steps * (layerMatrices(shape, shape.active_experts) + headParameters(shape)) + 2n * pairWidth(shape) * pairs
  );
  const traffic = Number(steps) * weightBytes(shape, precision) + kvBytes(shape, precision, batch, cached, steps);
  return floorOf(traffic, ops, steps, machine, precision);
}

function generationFloor(shape, precision, machine, batch, prompt, tokens) {
  const read = larger(prompt, 1n);
  const first = prefillFloor(shape, precision, machine, batch, read);
  const others = decodeFloor(shape, precision, machine, batch, read, tokens - 1n);
  return {
    traffic: first.traffic + others.traffic,
    seconds: first.seconds + others.seconds,
    least: first.least + others.least,
    bound: (first.seconds >= others.seconds ? first : others).bound,
  };
}

const refutes = (floor, seconds) => seconds < floor.least;

const bandwidthShare = (floor, seconds, bandwidth) => floor.traffic / seconds / bandwidth;

// referee/fits.py

/** What several of these cards do at most, together. */
function together(machine, cards) {
  const times = (value) => value && value * Number(cards);
  return {
    bandwidth: times(machine.bandwidth), peak: times(machine.peak), cache: times(machine.cache),
    memory: times(machine.memory), link: times(machine.link), cards,
  };
}

function fitOf(shape, precision, machine, batch, prompt, tokens) {
  if (machine.memory === null) return null;
  const weights = (Number(parameters(shape)) * precision.weight_bits) / 8;
  const cache = kvBytes(shape, precision, batch, prompt + larger(tokens - 1n, 0n));
  const needed = weights + cache;
  const held = machine.memory;
  return {
    weights, cache, needed, held, cards: machine.cards,
    whole: needed <= held,
    outside: Math.max(0, needed - held),
    machines: BigInt(Math.ceil((Number(machine.cards) * needed) / held)),
  };
}

function linkSeconds(floor, passes, machine) {
  if (machine.memory === null || machine.link === null) return 0;
  return Math.max(0, floor.traffic - Number(passes) * (machine.memory + machine.cache)) / machine.link;
}

const linkRefutes = (floor, passes, machine, seconds) =>
  seconds < linkSeconds(floor, passes, machine) / LIMITS.tolerance;

function precisionsThatFit(shape, machine, batch, prompt, tokens) {
  const fitting = PRECISIONS.filter((precision) => fitOf(shape, precision, machine, batch, prompt, tokens).whole);
  const most = Math.max(0, ...fitting.map((precision) => precision.weight_bits));
  return fitting.filter((precision) => precision.weight_bits === most).map((precision) => precision.name);
}
