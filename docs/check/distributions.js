// Quantiles of Student's t, the beta and the normal distribution. Tested against SciPy to 1e-12.

// What Stirling's formula leaves out of log Gamma(x), x >= 15 (Abramowitz & Stegun 6.1.40).
function remainder(x) {
  const z = 1 / (x * x);
  return (1 / 12 + z * (-1 / 360 + z * (1 / 1260 + z * (-1 / 1680 + z * (1 / 1188 + z * (-691 / 360360 + z / 156)))))) / x;
}

// log Gamma(x), x > 0: Stirling's formula after a shift to x >= 15.
export function logGamma(x) {
  let shift = 0;
  let y = x;
  while (y < 15) {
    shift += Math.log(y);
    y += 1;
  }
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + remainder(y) - shift;
}

// log B(a, b); where one is large, the difference of two large logarithms is never taken.
function logBeta(a, b) {
  const [small, large] = a < b ? [a, b] : [b, a];
  if (large < 15) {
    return logGamma(a) + logGamma(b) - logGamma(a + b);
  }
  const ratio = -(large + small - 0.5) * Math.log1p(small / large) - small * Math.log(large) + small + remainder(large) - remainder(large + small);
  return logGamma(small) + ratio;
}

// The regularised incomplete beta function I_x(a, b), where `y` is 1 - x, given apart so that no digit of it is lost.
export function incompleteBeta(a, b, x, y = 1 - x) {
  if (x <= 0 || y <= 0) {
    return x <= 0 ? 0 : 1;
  }
  const front = Math.exp(a * Math.log(x) + b * Math.log(y) - logBeta(a, b));
  return x < (a + 1) / (a + b + 2) ? (front * fraction(a, b, x)) / a : 1 - (front * fraction(b, a, y)) / b;
}

// Lentz's evaluation of the continued fraction (DLMF 8.17.22).
function fraction(a, b, x) {
  const tiny = 1e-300;
  const away = (value) => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m <= 20000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) {
      return h;
    }
  }
  throw new Error("the incomplete beta function did not converge");
}

// P(T > t) for t >= 0 and `df` degrees of freedom.
export function tTail(t, df) {
  const squared = t * t;
  return 0.5 * incompleteBeta(df / 2, 0.5, df / (df + squared), squared / (df + squared));
}

// The t that a share `tail` < 1/2 of the distribution exceeds.
export function tUpper(tail, df) {
  let high = 1;
  while (tTail(high, df) > tail) {
    high *= 2;
    if (high > 1e12) {
      throw new Error("no such quantile of t");
    }
  }
  return bisect((t) => tTail(t, df) - tail, 0, high);
}

// The x below which a share `p` of Beta(a, b) lies.
export function betaQuantile(p, a, b) {
  return bisect((x) => p - incompleteBeta(a, b, x), 0, 1);
}

// The z that a share `tail` of the normal distribution exceeds.
export function normalUpper(tail) {
  return bisect((z) => 0.5 - normalHalf(z) - tail, 0, 9);
}

// P(0 < Z < z): a series of positive terms, so that nothing cancels.
function normalHalf(z) {
  let term = z;
  let sum = z;
  for (let k = 3; term > 1e-18 * sum; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}

// The root of a falling function, to the last bit.
function bisect(falling, from, to) {
  let low = from;
  let high = to;
  for (let step = 0; step < 1100; step += 1) {
    const middle = low + (high - low) / 2;
    if (middle === low || middle === high) {
      break;
    }
    if (falling(middle) > 0) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low + (high - low) / 2;
}
