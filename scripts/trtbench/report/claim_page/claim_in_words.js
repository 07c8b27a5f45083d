// A claim as somebody wrote it, to fields: only what is said in so many words. The fields show what was understood.

const SHORT = { fp32: "float32", fp16: "float16", half: "float16", bf16: "bfloat16", awq: "int4_awq" };
const NUMBER = String.raw`(\d[\d.,\u00a0\u202f]*\d|\d)`;

/** A name as a pattern: with any signs between its words, or none. */
const named = (name) => name.trim().split(/[\s-]+/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, "\\$&")).join("[\\s_-]*");

/** The longest of these names that stands in the text, so that "RTX 4070 Ti" is not the RTX 4070. */
function longest(text, choices) {
  const there = choices.filter(([name]) => new RegExp(`(?<![\\w.])${named(name)}(?![\\w])`, "i").test(text));
  return there.sort(([a], [b]) => b.length - a.length)[0]?.[1];
}

function fieldsIn(text) {
  const found = {};
  const take = (name, pattern, made = (digits) => digits) => {
    const match = new RegExp(pattern, "i").exec(text);
    if (match) found[name] = made(...match.slice(1));
  };
  const gpu = longest(text, CARDS.flatMap(({ gpu, also }) => [gpu, ...also].map((name) => [name, gpu])));
  if (gpu) found.gpu = gpu;
  const model = longest(text, MODELS.flatMap(({ name, label }) => [[name, name], [label, name]]));
  if (model) found.model = model;
  const precision = longest(text, [...PRECISIONS.map(({ name }) => [name, name]), ...Object.entries(SHORT)]);
  if (precision) found.precision = precision;
  take("batch", String.raw`\b(?:batch(?:[ _-]size)?|lot)\s*(?:de|of|[=:])?\s*(\d+)`);
  take("latency-ms", NUMBER + String.raw`\s*(ms|milliseconds?|millisecondes?|s|sec|seconds?|secondes?)\b`, (digits, unit) => {
    const plain = digitsOf(digits);
    if (/^m/i.test(unit) || typeof plain !== "string") return digits;
    return String(Number((Number(plain) * 1e3).toPrecision(15)));
  });
  take("tokens-per-s", NUMBER + String.raw`\s*(?:(?:output|new|generated)\s+)?(?:tokens?|tok|toks|jetons?|t)\s*(?:\/|per|par)\s*s`);
  take("tokens", String.raw`(?<![\d.,])(\d+)\s*(?:new|output|generated|nouveaux)?\s*(?:tokens|jetons)\b(?!\s*(?:\/|per\b|par\b|d'entrée))`);
  take("prompt", String.raw`(?<![\d.,])(\d+)\s*(?:(?:prompt|input)\s+(?:tokens|ids)|jetons d'entrée)`);
  return found;
}
