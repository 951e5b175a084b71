// The measures this page knows: from one row (text, label, value, status) to a score, or null where there is none.

const answered = (row, of) => row.status === "ok" && row[of] !== null && row[of] !== undefined;
const among = (label, labels) => labels.includes(label);

// Labels as the plan sorts them: 1, 0 or no answer; one that the plan does not list stops the analysis, and this too.
function byLabel(row, { positive, negative, missing = [], unknown = "refuse" }) {
  if (!answered(row, "label") || among(row.label, missing)) {
    return null;
  }
  if (!among(row.label, positive) && !among(row.label, negative) && unknown === "refuse") {
    throw new Error(`the label ${JSON.stringify(row.label)} is not in the plan`);
  }
  return among(row.label, positive) ? 1 : among(row.label, negative) ? 0 : null;
}

function number(row, of, low, high) {
  if (!answered(row, of)) {
    return null;
  }
  const written = of === "label" ? String(row.label).trim() : row.value;
  const value = of === "label" && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(written) ? NaN : Number(written);
  const inside = (low === null || value >= low) && (high === null || value <= high);
  return Number.isFinite(value) && inside ? value : null;
}

const cutOff = ({ within = null }) => (within === null ? null : [-within, within]);
const logOdds = (row, { within = null }) => {
  const value = answered(row, "value") ? row.value : null;
  return value === null || within === null ? value : Math.min(Math.max(value, -within), within);
};

// `isRate`: every score is 0 or 1. `ends`: least and greatest score, where the measure has them. `reads`: what items of the plan's own making were asked for.
export const MEASURES = {
  marker_rate: {
    isRate: true, reads: "answer",
    score: (row, { marker }) => (answered(row, "text") ? Number(pattern(marker).test(row.text)) : null),
  },
  marker_count: {
    reads: "answer",
    ends: ({ most = null }) => (most === null ? null : [0, most]),
    score: (row, { marker, most = null }) => {
      const found = answered(row, "text") ? row.text.split(pattern(marker)).length - 1 : null;
      return found === null || most === null ? found : Math.min(found, most);
    },
  },
  label_rate: {
    isRate: true,
    score: (row, { positive = ["true"], negative = ["false"], ...rest }) => byLabel(row, { positive, negative, ...rest }),
  },
  discriminator: {
    isRate: true, reads: "answer",
    score: (row, { correct = "correct", wrong = "wrong" }) => byLabel(row, { positive: [correct], negative: [wrong] }),
  },
  era: {
    isRate: true, reads: "answer",
    score: (row, { of = "label", old = ["19"], modern = ["LLM"], between = [], borderline = "modern" }) => {
      if (of !== "label") {
        throw new Error("words of an era are counted by the analysis alone");
      }
      const positive = borderline === "old" ? [...old, ...between] : old;
      const negative = borderline === "modern" ? [...modern, ...between] : modern;
      return byLabel(row, { positive, negative, missing: borderline === "missing" ? between : [] });
    },
  },
  forced_choice: {
    reads: "letter",
    ends: () => [-1, 1],
    score: (row, { pro = "pro", con = "con" }) => {
      const chosen = byLabel(row, { positive: [pro], negative: [con] });
      return chosen === null ? null : 2 * chosen - 1;
    },
  },
  letter_logprob: { reads: "letter", ends: cutOff, score: logOdds },
  bare_logprob: { reads: "word", ends: cutOff, score: logOdds },
  likert: {
    reads: "rating",
    ends: () => [-1, 1],
    score: (row, { of = "expected", low = 1, high = 7, high_is = "pro" }) => {
      const rating = number(row, of === "expected" ? "value" : "label", low, high);
      return rating === null ? null : (high_is === "pro" ? 1 : -1) * (-1 + (2 * (rating - low)) / (high - low));
    },
  },
  judged_stance: { reads: "answer", ends: ({ most = 3 }) => [-most, most], score: (row, { of = "value", most = 3 }) => number(row, of, -most, most) },
  capability: {
    isRate: true, reads: "choice",
    score: (row, { lead = 0 }) => (answered(row, "value") ? Number(row.value > lead) : null),
  },
  perplexity: {
    reads: "passage",
    ends: ({ most = null }) => (most === null ? null : [0, most]),
    score: (row, { most = null }) => {
      const value = answered(row, "value") && row.value >= 0 ? row.value : null;
      return value === null || most === null ? value : Math.min(value, most);
    },
  },
  numeric: {
    ends: ({ low = null, high = null, to = null }) => (low === null || high === null ? null : [...(to ?? [low, high])].sort((a, b) => a - b)),
    score: (row, { of = "value", low = null, high = null, to = null }) => {
      const value = number(row, of, low, high);
      return value === null || to === null ? value : to[0] + ((value - low) / (high - low)) * (to[1] - to[0]);
    },
  },
};

const patterns = new Map();

// The marker as a pattern that means nothing but itself, whatever its case (simple Unicode folding).
function pattern(marker) {
  if (!patterns.has(marker)) {
    patterns.set(marker, new RegExp(marker.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "iu"));
  }
  return patterns.get(marker);
}

// Least and greatest score of a measure as a plan writes it; null where it has no ends.
export function endsOf(written) {
  const measure = MEASURES[written.kind];
  return measure.isRate ? [0, 1] : measure.ends?.(written) ?? null;
}
