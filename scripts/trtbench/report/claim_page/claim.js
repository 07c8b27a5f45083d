// One claim against the ceilings of a card and against itself, as referee/claim.py, referee/claim_rate.py and the sentences of
// referee/fits.py have it. A sentence is the key of its row and the figures in it: words.js puts it into a language.

const said = (key, figures = {}) => ({ key, figures });

const joined = (key, parts) => parts.reduce((first, then) => said(key, { first, then }));

/** Python's math.isclose. */
const isClose = (a, b, share) => a === b || Math.abs(a - b) <= Math.max(share * Math.abs(a), share * Math.abs(b));

/** Hold a rate against the time (s) of the tokens; the words are those of claim_rate.py. */
function held(batch, prompt, tokens, seconds, rate, prefill) {
  const product = rate * seconds;
  const made = Number(batch * tokens);
  const verdict = (word, left = null, most = null) => ({ word, product, left, most });
  if (isClose(product, made, LIMITS.agreement)) return verdict("agrees");
  if (prompt && isClose(product, Number(batch * (prompt + tokens)), LIMITS.agreement)) return verdict("prompt");
  if (isClose(product, Number(batch), LIMITS.roughly) && 2 * product < batch * tokens) return verdict("requests");
  if (batch > 1n && isClose(product, Number(tokens), LIMITS.agreement)) return verdict("one");
  const step = Number(batch) / rate;
  const left = seconds - step * Number(tokens - 1n);
  if (left <= 0 || tokens <= 1n) return verdict("contradicts");
  let most = step * LIMITS.prompt_room * Math.max(Number(prompt), LIMITS.shortest_prompt);
  if (!prompt) most = Math.min(step * LIMITS.longest_prompt, (1 - LIMITS.least_share) * seconds);
  if (left > most) return verdict("contradicts", left, most);
  if (refutes(prefill, left)) return verdict("contradicts", left);
  return verdict(prompt ? "decode" : "unless", left);
}

/** Whether the claim is possible, and the sentences that say why, in reading order. `seconds` and `rate` may be null. */
function examine({ shape, precision, machine, place, cards, batch, prompt, tokens, seconds, rate }) {
  const all = together(machine, cards);
  const steps = larger(tokens - 1n, 1n);
  const decode = decodeFloor(shape, precision, all, batch, prompt, steps);
  const lines = [
    on(shape, place, cards),
    ...allowed(shape, precision, all, decode, steps, batch),
    ...memory(shape, precision, all, batch, prompt, tokens),
  ];
  const faults = [];
  if (seconds !== null) {
    const whole = generationFloor(shape, precision, all, batch, prompt, tokens);
    const least = whole.seconds * 1e3;
    lines.push(said("claim.time", { ms: seconds * 1e3, batch, tokens, least, compared: compared(whole, seconds, all) }));
    if (refutes(whole, seconds)) faults.push(said("claim.time_too_short"));
    else if (linkRefutes(whole, tokens, all, seconds)) {
      faults.push(said("claim.time_against_link", { precision: precision.name }));
    }
  }
  if (rate !== null) {
    const needed = Number(batch * steps) / rate;
    lines.push(said("claim.rate", { rate, compared: compared(decode, needed, all) }));
    if (refutes(decode, needed)) faults.push(said("claim.rate_too_high"));
    else if (linkRefutes(decode, steps, all, needed)) {
      faults.push(said("claim.rate_against_link", { precision: precision.name }));
    }
  }
  if (rate !== null && seconds !== null) {
    const prefill = prefillFloor(shape, precision, all, batch, larger(prompt, 1n));
    const verdict = held(batch, prompt, tokens, seconds, rate, prefill);
    if (verdict.word !== "agrees") {
      const made = batch * tokens;
      const ratio = verdict.product / Number(made);
      const why = reason(verdict, batch, prompt, made, seconds * 1e3, prefill.seconds * 1e3);
      lines.push(said("claim.product", { product: rounded(verdict.product), made, ratio, why }));
    }
    if (["prompt", "requests", "contradicts"].includes(verdict.word)) faults.push(said("claim.contradict"));
  }
  const fit = fitOf(shape, precision, all, batch, prompt, tokens);
  let word = said("claim.possible");
  if (fit !== null && !fit.whole) word = said("claim.possible_offloaded", { outside: fit.outside / 1e9 });
  let why = said("claim.nothing_against");
  if (faults.length) [word, why] = [said("claim.impossible"), joined("claim.and", faults)];
  lines.push(said("claim.verdict", { word, why }));
  return { possible: !faults.length, lines };
}

function on(shape, place, cards) {
  const places = cards === 1n ? place : said("claim.several", { place, cards });
  return said("claim.on", { architecture: shape.architecture, parameters: Number(parameters(shape)) / 1e6, place: places });
}

/** What a decode step reads, and how many tokens a second the machine allows at most. */
function allowed(shape, precision, machine, decode, steps, batch) {
  const rate = Number(batch * steps) / decode.seconds;
  const perStep = decode.traffic / Number(steps);
  const gbs = machine.bandwidth / 1e9;
  const reading = machine.cards === 1n
    ? said("claim.reading", { gbs })
    : said("claim.reading_together", { gbs, cards: machine.cards });
  const amount = perStep >= 1e8
    ? said("claim.gigabytes", { count: perStep / 1e9 })
    : said("claim.megabytes", { count: perStep / 1e6 });
  const weights = Number(parametersRead(shape)) / 1e6;
  const step = perStep > weightBytes(shape, precision) ? "claim.step_cache" : "claim.step";
  const lines = [
    said(step, { amount, weights, precision: precision.name }),
    said(decode.bound === "peak" ? "claim.most_peak" : "claim.most", { reading, rate, batch }),
  ];
  if (perStep <= machine.cache) lines.push(said("claim.in_cache", { mib: machine.cache / 2 ** 20 }));
  return lines;
}

/** How model and cache stand to the card's memory, and what would have to be true if they don't fit. */
function memory(shape, precision, machine, batch, prompt, tokens) {
  const fit = fitOf(shape, precision, machine, batch, prompt, tokens);
  if (fit === null) return [];
  const needs = { needed: fit.needed / 1e9, precision: precision.name };
  const taken = fit.cache
    ? said("claim.taken_cache", { weights: fit.weights / 1e9, cache: fit.cache / 1e9, ...needs })
    : said("claim.taken", needs);
  const holds = { held: fit.held / 1e9, gib: fit.held / 2 ** 30 };
  const inside = fit.cards === 1n ? said("claim.held", holds) : said("claim.held_together", { cards: fit.cards, ...holds });
  if (fit.whole) return [said("claim.fits", { taken, held: inside })];
  const steps = larger(tokens - 1n, 1n);
  const decode = decodeFloor(shape, precision, machine, batch, prompt, steps);
  const crossing = linkSeconds(decode, steps, machine);
  const limit = crossing > decode.seconds
    ? said("claim.link_allows", { rate: Number(batch * steps) / crossing, batch })
    : said("claim.link_idle");
  const names = precisionsThatFit(shape, machine, batch, prompt, tokens);
  const ways = names.length ? [joined("claim.either", names)] : [];
  ways.push(said("claim.more_cards", { cards: fit.machines }), said("claim.host"));
  return [
    said("claim.outside", { taken, held: inside, outside: fit.outside / 1e9 }),
    said("claim.link", { gbs: (machine.link ?? 0) / 1e9, limit }),
    said("claim.ways", { ways: joined("claim.or", ways) }),
  ];
}

/** How a time (s) stands to its floor, as the end of a sentence. */
function compared(floor, seconds, machine) {
  const ratio = floor.seconds / seconds;
  if (refutes(floor, seconds)) return said("claim.above", { ratio });
  if (ratio > 1) return said("claim.rounded", { ratio });
  return said("claim.share", { ratio, share: bandwidthShare(floor, seconds, machine.bandwidth) });
}

/** Why rate x time is not the tokens made; `ms` is the whole time, `least` the prompt's floor (ms). */
function reason(verdict, batch, prompt, made, ms, least) {
  if (verdict.word === "prompt") return said("claim.with_prompt");
  if (verdict.word === "requests") return said("claim.requests", { batch });
  if (verdict.word === "one") return said("claim.one", { batch });
  if (verdict.left === null && verdict.product < made) return said("claim.fewer");
  const counted = said("claim.counted");
  if (verdict.left === null) return said("claim.part", { counted });
  const left = verdict.left * 1e3;
  if (verdict.word === "decode") return said("claim.decode", { left, ms, least });
  if (verdict.word !== "contradicts") return said("claim.unless", { left, ms, counted });
  if (verdict.most === null) return said("claim.too_short", { counted, left, ms, least });
  const most = verdict.most * 1e3;
  if (!prompt) return said("claim.too_long_unsaid", { counted, left, ms, most });
  return said("claim.too_long", { counted, left, ms, prompt, most });
}
