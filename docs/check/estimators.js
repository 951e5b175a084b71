// The estimators this page knows, from unit means or counts to an estimate and an interval.

import { betaQuantile, normalUpper, tUpper } from "./distributions.js";

export const sum = (values) => {
  let total = 0;
  let lost = 0;
  for (const value of values) {
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return total + lost;
};
export const mean = (values) => sum(values) / values.length;
const squares = (values) => {
  const centre = mean(values);
  return sum(values.map((value) => (value - centre) ** 2));
};

// A sample: `levels` of {name, weight, means (unit -> mean), k, n}; `ends` of the measure cut the interval to what the
// contrast can reach. `isOld` is the arithmetic before version 0.2: a level without spread counted as evidence of precision.
export const ESTIMATORS = {
  one_sample_t(sample, level) {
    if (sample.levels.length !== 1) {
      throw new Error("one_sample_t answers about one level");
    }
    return ESTIMATORS.pooled_t(sample, level);
  },
  paired_t(sample, level) {
    const levels = weighted(sample);
    const units = [...levels[0].means.keys()].filter((unit) => levels.every((l) => l.means.has(unit)));
    const contrasts = units.map((unit) => sum(levels.map((l) => l.weight * l.means.get(unit))));
    const df = need(contrasts.length) - 1;
    return interval(sample, level, mean(contrasts), Math.sqrt(squares(contrasts) / df / contrasts.length), df, units.length);
  },
  pooled_t(sample, level) {
    const levels = sample.levels.map(summary);
    levels.filter((l) => l.weight !== 0).forEach((l) => need(l.n));
    const spread = levels.filter((l) => sample.isOld || hasSpread(l));
    const lenders = spread.length ? spread : levels;
    const df = sum(lenders.map((l) => l.n - 1));
    const variance = sum(lenders.map((l) => l.squares)) / df;
    const se = Math.sqrt(variance * sum(levels.map((l) => l.weight ** 2 / l.n)));
    return interval(sample, level, sum(levels.map((l) => l.weight * l.mean)), se, df, sum(levels.map((l) => l.n)));
  },
  welch_t(sample, level) {
    const levels = weighted(sample).map(summary);
    levels.forEach((l) => need(l.n));
    if (!sample.isOld && !levels.every(hasSpread)) {
      throw new Error("a level without spread is no evidence of precision");
    }
    const variances = levels.map((l) => (l.weight ** 2 * l.squares) / (l.n - 1) / l.n);
    const variance = sum(variances);
    const df = 1 / sum(levels.map((l, i) => (variances[i] / variance) ** 2 / (l.n - 1)));
    return interval(sample, level, sum(levels.map((l) => l.weight * l.mean)), Math.sqrt(variance), df, sum(levels.map((l) => l.n)));
  },
  wilson(sample, level) {
    const { k, n } = counts(sample);
    if (k === 0 || k === n) {
      return ESTIMATORS.clopper_pearson(sample, level);
    }
    const z = normalUpper((1 - level) / 2);
    const rate = k / n;
    const centre = (rate + z ** 2 / (2 * n)) / (1 + z ** 2 / n);
    const half = (z * Math.sqrt((rate * (1 - rate)) / n + z ** 2 / (4 * n ** 2))) / (1 + z ** 2 / n);
    return { estimate: rate, ci: [centre - half, centre + half], units: n };
  },
  clopper_pearson(sample, level) {
    const { k, n } = counts(sample);
    const tail = (1 - level) / 2;
    const low = k === 0 ? 0 : betaQuantile(tail, k, n - k + 1);
    const high = k === n ? 1 : 1 - betaQuantile(tail, n - k, k + 1);
    return { estimate: k / n, ci: [low, high], units: n };
  },
};

const weighted = (sample) => sample.levels.filter((level) => level.weight !== 0);

function summary(level) {
  const values = [...level.means.values()];
  const size = Math.max(...values.map(Math.abs));
  return { weight: level.weight, n: values.length, mean: mean(values), squares: squares(values), size };
}

const hasSpread = (level) => Math.sqrt(level.squares) > 1e-11 * level.size;

function need(n) {
  if (n < 2) {
    throw new Error("fewer than two units a level have no standard error");
  }
  return n;
}

function counts(sample) {
  const [level] = sample.levels;
  if (sample.levels.length !== 1 || level.weight !== 1 || level.k === null || level.n === null || level.n === 0) {
    throw new Error("a binomial interval needs k of n in one level");
  }
  return level;
}

function interval(sample, level, estimate, se, df, units) {
  if (!(se > 0) || !(df >= 1)) {
    throw new Error("no spread between units: no standard error");
  }
  const t = tUpper((1 - level) / 2, df);
  const [least, most] = limits(sample);
  return { estimate, ci: [Math.max(estimate - t * se, least), Math.min(estimate + t * se, most)], units };
}

// The least and greatest value of the contrast. Ends that a unit mean lies beyond cut nothing.
function limits({ levels, ends }) {
  const used = levels.filter((level) => level.weight !== 0);
  const isBeyond = (value) => value < ends[0] || value > ends[1];
  if (ends === null || used.some((level) => [...level.means.values()].some(isBeyond))) {
    return [-Infinity, Infinity];
  }
  const reach = used.map(({ weight }) => ends.map((end) => weight * end));
  return [sum(reach.map((pair) => Math.min(...pair))), sum(reach.map((pair) => Math.max(...pair)))];
}
