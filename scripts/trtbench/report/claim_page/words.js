// Sentences and figures as report/language.py writes them. Templates come from there with their spaces set; what agrees with a
// count, and how a figure is rounded, is done here.

const ONE = { en: (count) => count === 1, fr: (count) => Math.abs(count) < 2 };
const BITS = new DataView(new ArrayBuffer(8));

/** A number of at least 0 with so many digits behind the point, rounded as Python does it: from the exact value of the double,
 * and to even where that lies in the middle (toFixed goes up there, and gives up at 1e21). */
function fixed(value, digits) {
  BITS.setFloat64(0, value);
  const bits = BITS.getBigUint64(0);
  const exponent = bits >> 52n;
  const mantissa = (bits & ((1n << 52n) - 1n)) | (exponent ? 1n << 52n : 0n);
  const shift = larger(exponent, 1n) - 1075n; // value = mantissa * 2^shift
  let scaled = mantissa * 10n ** BigInt(digits);
  if (shift >= 0n) scaled <<= shift;
  else {
    const whole = scaled >> -shift;
    const rest = scaled - (whole << -shift);
    const half = 1n << (-shift - 1n);
    scaled = whole + (rest > half || (rest === half && whole & 1n) ? 1n : 0n);
  }
  const written = String(scaled).padStart(digits + 1, "0");
  return digits ? `${written.slice(0, -digits)}.${written.slice(-digits)}` : written;
}

/** Python's round to a whole number. */
const rounded = (value) => BigInt(fixed(value, 0));

function number(language, value, digits = null) {
  const size = Number(value);
  const shown = digits ?? (typeof value === "bigint" ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3);
  const [whole, behind] = fixed(size, shown).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, language.group);
  return behind === undefined ? grouped : grouped + language.decimal + behind;
}

function figure(language, value, kind) {
  if (kind === "") return value;
  if (kind === "i") return String(value);
  if (kind === "n") return number(language, value);
  if (/^n\d$/.test(kind)) return number(language, value, Number(kind[1]));
  if (kind === "w") return number(language, value, Number.isInteger(value) ? 0 : null);
  if (kind === "p0") return number(language, value * 100, 0) + language.percent;
  const [one, several] = kind.split("|");
  return (ONE[language.code](Number(value)) ? one : several).replace("#", () => number(language, value));
}

/** A sentence in a language, `en` or `fr`; a part of it may be a sentence, or a text that is none. */
function told(code, what) {
  if (typeof what === "string") return what;
  const language = LANGUAGES[code];
  return language.words[what.key].replace(/\{(\w+):?([^}]*)\}/g, (_, name, kind) => {
    const value = what.figures[name];
    return typeof value === "object" ? told(code, value) : figure(language, value, kind);
  });
}
