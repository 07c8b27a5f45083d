// What stands in the fields, as a claim: texts by the name of their field, which is the command's option of that name. What is
// wrong comes back as a sentence by the field that it belongs to.

const SIZES = ["layers", "hidden", "heads", "kv-heads", "head-dim", "intermediate", "vocab"];
const OTHER = "other";

/** The digits of a number as people write it, the point before its fraction; a sentence where they can be read in two ways. */
function digitsOf(text) {
  if (/^\d{1,3}([ \u00a0\u202f]\d{3})+([.,]\d+)?$/.test(text)) return text.replace(/[ \u00a0\u202f]/g, "").replace(",", ".");
  if (/^[1-9]\d{0,2},\d{3}$/.test(text)) {
    const [thousands, decimal] = [text.replace(",", ""), text.replace(",", ".")];
    return said("claim_page.bad_two_ways", { text, thousands, decimal });
  }
  if (/^[1-9]\d{0,2}(,\d{3})+(\.\d+)?$/.test(text)) return text.replace(/,/g, "");
  if (/^\d+,\d+$/.test(text)) return text.replace(",", ".");
  return text;
}

/** The claim that the fields make, and the words of the command that has the same one; or what is wrong with them. */
function read(fields) {
  const faults = {};
  const words = [];
  const text = (name) => (fields[name] ?? "").trim();

  function positive(name) {
    if (text(name) === "") return null;
    const digits = digitsOf(text(name));
    if (typeof digits !== "string") return void (faults[name] = digits);
    const value = /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?$/i.test(digits) ? Number(digits) : NaN;
    if (!(value >= LIMITS.least && value <= LIMITS.most)) {
      return void (faults[name] = said("claim_page.bad_number", { text: text(name).slice(0, 60) }));
    }
    words.push(`--${name}`, digits);
    return value;
  }

  function whole(name, least, otherwise = null) {
    if (text(name) === "" && otherwise !== null) return otherwise;
    if (!/^\d{1,9}$/.test(text(name)) || BigInt(text(name)) < least) {
      const bad = text(name) === "" ? "claim_page.bad_missing" : "claim_page.bad_whole";
      return void (faults[name] = said(bad, { text: text(name).slice(0, 60), least }));
    }
    return BigInt(text(name));
  }

  function option(name, least, otherwise) {
    const value = whole(name, least, otherwise);
    if (value !== undefined && value !== otherwise) words.push(`--${name}`, String(value));
    return value;
  }

  const model = modelOf(fields, whole, faults);
  words.push("--model", model?.config ? "config.json" : "tinyllama");
  const card = CARDS.find((each) => each.gpu === fields.gpu);
  let [machine, place] = [card?.machine, card && said("claim.card", card)];
  if (card) words.push("--gpu", `"${card.gpu}"`);
  else if (fields.gpu === OTHER) {
    const gbs = positive("bandwidth-gbs");
    if (gbs === null) faults["bandwidth-gbs"] = said("claim_page.bad_missing");
    const gib = positive("memory-gb");
    machine = { bandwidth: gbs * 1e9, peak: null, cache: 0, memory: null, link: null };
    if (gib) machine = { ...machine, memory: gib * 2 ** 30, link: LIMITS.link };
    place = said("claim.other_card", { gbs });
  } else faults.gpu = said("claim_page.bad_choice");
  const cards = option("cards", 1n, 1n);
  if (cards > LIMITS.most_cards) faults.cards = said("claim_page.bad_cards", { text: text("cards"), most: BigInt(LIMITS.most_cards) });
  const precision = PRECISIONS.find((each) => each.name === fields.precision);
  if (precision) words.push("--precision", precision.name);
  else faults.precision = said("claim_page.bad_choice");
  const batch = option("batch", 1n, 1n);
  const prompt = option("prompt", 0n, 0n);
  const tokens = text("tokens") === "" ? 0n : whole("tokens", 1n);
  if (tokens) words.push("--tokens", String(tokens));
  const milliseconds = positive("latency-ms");
  const rate = positive("tokens-per-s");
  if (milliseconds === null && rate === null) faults["latency-ms"] = said("claim_page.bad_nothing");
  if (milliseconds && tokens === 0n) faults.tokens = said("claim_page.bad_time_alone");

  if (Object.keys(faults).length) return { faults };
  const seconds = milliseconds === null ? null : milliseconds / 1e3;
  const claim = { shape: model.shape, precision, machine, place, cards, batch, prompt, tokens, seconds, rate };
  const command = `PYTHONPATH=scripts python3 -m trtbench.possible ${words.join(" ")}`;
  return { faults, claim, command, config: model.config };
}

/** Shape and config.json of the model that was chosen, or of the sizes in the fields: a Llama, or a Mixtral if it has experts. */
function modelOf(fields, whole, faults) {
  const known = MODELS.find((each) => each.name === fields.model);
  if (known) return { shape: shapeOf({ ...SHAPE, ...known.shape }), config: known.config };
  if (fields.model !== OTHER) return void (faults.model = said("claim_page.bad_choice"));
  const sizes = SIZES.map((name) => whole(name, 1n));
  const experts = whole("experts", 0n, 0n);
  const active = experts ? whole("active-experts", 1n) : 0n;
  if ([...sizes, experts, active].includes(undefined)) return undefined;
  const [layers, hidden, heads, kvHeads, headDim, intermediate, vocab] = sizes;
  if (heads % kvHeads) faults["kv-heads"] = said("claim_page.bad_heads", { heads, kv: kvHeads });
  if (active > experts) faults["active-experts"] = said("claim_page.bad_experts", { active, experts });
  const tied = fields.tied === "yes";
  const config = {
    model_type: experts ? "mixtral" : "llama",
    vocab_size: Number(vocab), hidden_size: Number(hidden), intermediate_size: Number(intermediate),
    num_hidden_layers: Number(layers), num_attention_heads: Number(heads), num_key_value_heads: Number(kvHeads),
    head_dim: Number(headDim), tie_word_embeddings: tied,
  };
  const sparse = { num_local_experts: Number(experts), num_experts_per_tok: Number(active) };
  const shape = {
    ...shapeOf({ ...SHAPE, tied }),
    architecture: config.model_type,
    layers, hidden, heads, kv_heads: kvHeads, head_dim: headDim, intermediate, vocab,
    experts, active_experts: active, expert_intermediate: experts ? intermediate : 0n, sparse_layers: experts ? layers : 0n,
  };
  return { shape, config: experts ? { ...config, ...sparse } : config };
}
