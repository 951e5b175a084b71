// Numbers as the report writes them: exactly, halves to the even digit, as Python's format does.

const MINUS = "\u2212";

// `value` with `decimals` places, thousands separated. The binary value itself is rounded, so that no tie is invented.
export function fixed(value, decimals) {
  const [digits, isNegative] = scaled(value, decimals);
  const padded = digits.toString().padStart(decimals + 1, "0");
  const whole = padded.slice(0, padded.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const shown = decimals ? `${whole}.${padded.slice(-decimals)}` : whole;
  return isNegative && digits !== 0n ? MINUS + shown : shown;
}

// |value| * 10^decimals as a whole number, and the sign: mantissa and exponent are read from the bits of the double.
function scaled(value, decimals) {
  if (!Number.isFinite(value)) {
    throw new Error(`${value} is no number that JSON can carry`);
  }
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = exponent ? fraction | (1n << 52n) : fraction;
  const power = (exponent || 1) - 1075;
  const numerator = mantissa * 10n ** BigInt(decimals) * (power > 0 ? 1n << BigInt(power) : 1n);
  const denominator = power < 0 ? 1n << BigInt(-power) : 1n;
  const quotient = numerator / denominator;
  const twice = 2n * (numerator % denominator);
  const isUp = twice > denominator || (twice === denominator && quotient % 2n === 1n);
  return [isUp ? quotient + 1n : quotient, value < 0];
}

// One value of results.json by the format that the page names beside it.
export function formatValue(value, spec) {
  if (value === null) {
    return "not defined";
  }
  const kind = spec.replace(/\d+$/, "");
  const decimals = Math.min(30, Number(spec.slice(kind.length) || 0));
  if (kind === "text") {
    return plainText(value);
  }
  if (typeof value !== "number") {
    throw new Error(`${typeof value} where the page prints a number`);
  }
  switch (kind) {
    case "percent":
      return `${fixed(100 * value, decimals)}%`;
    case "pp":
      return `${fixed(100 * value, decimals)} pp`;
    case "number":
      return fixed(value, decimals);
    case "p":
      return value < 0.001 ? "< 0.001" : fixed(value, 3);
    case "integer":
      return fixed(value, 0).replace(MINUS, "-");
    default:
      throw new Error(`unknown format ${spec}`);
  }
}

// As Python's str() writes a value that JSON can carry.
export function plainText(value) {
  if (typeof value === "boolean") {
    return value ? "True" : "False";
  }
  if (typeof value !== "number" || Number.isInteger(value) || Math.abs(value) >= 1e-4) {
    return String(value);
  }
  const [mantissa, power] = value.toExponential().split("e");
  return `${mantissa}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}
