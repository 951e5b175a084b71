# Reference answers for the frequentist estimators, by R packages.
# Run from this folder:  Rscript frequentist.R
# Writes frequentist.json: the inputs (drawn here, rounded), the answers, and the versions that gave them.

suppressMessages({
  library(jsonlite); library(lme4); library(lmerTest); library(pbkrtest); library(clubSandwich)
  library(multcomp); library(coin); library(effectsize)
})
set.seed(20261121)
out <- list()

# Two arms of unequal size, and pairs.
a <- round(rnorm(5, 0.5, 0.2), 4); b <- round(rnorm(4, 0.2, 0.1), 4)
welch <- t.test(a, b); pooled <- t.test(a, b, var.equal = TRUE)
p1 <- round(rnorm(6, 0.5, 0.2), 4); p2 <- round(p1 - rnorm(6, 0.1, 0.05), 4)
paired <- t.test(p1, p2, paired = TRUE)
pick <- function(t) list(ci = as.numeric(t$conf.int), df = unname(t$parameter), p = t$p.value)
out$two_arms <- list(a = a, b = b, welch = pick(welch), pooled = pick(pooled),
                     above_02 = t.test(a, b, mu = 0.2, alternative = "greater", var.equal = TRUE)$p.value)
out$pairs <- list(a = p1, b = p2, paired = pick(paired))

# Effect sizes with noncentral-t intervals.
es <- function(e, name) list(value = e[[name]], ci = c(e$CI_low, e$CI_high))
out$effect_size <- list(
  a = a, b = b, pairs_a = p1, pairs_b = p2,
  d = es(cohens_d(a, b), "Cohens_d"), g = es(hedges_g(a, b), "Hedges_g"),
  glass = es(glass_delta(a, b), "Glass_delta"), dz = es(cohens_d(p1 - p2), "Cohens_d"))

# Cells of seeds crossed with items: balanced, then with cells missing.
cells <- function(arms, seeds, items) {
  d <- expand.grid(item = seq_len(items), seed = seq_len(seeds), arm = arms, stringsAsFactors = FALSE)
  d$unit <- paste0(d$arm, d$seed)
  item_e <- rnorm(items, 0, 0.3)
  arm_item <- matrix(rnorm(items * length(arms), 0, 0.25), items); colnames(arm_item) <- arms
  unit_e <- setNames(rnorm(length(unique(d$unit)), 0, 0.2), unique(d$unit))
  d$y <- round(item_e[d$item] + arm_item[cbind(d$item, match(d$arm, arms))] + unit_e[d$unit] +
               0.4 * (d$arm == "b") + rnorm(nrow(d), 0, 0.3), 4)
  d$item <- paste0("q", d$item)
  d
}
fixed <- function(m, L) { f <- contest1D(m, L, ddf = "Satterthwaite")
  list(estimate = f$Estimate, se = f[["Std. Error"]], df = f$df) }
kr <- function(m, L) { f <- contest1D(m, L, ddf = "Kenward-Roger")
  list(estimate = f$Estimate, se = f[["Std. Error"]], df = f$df) }
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5),
                     calc.derivs = TRUE, check.conv.grad = "ignore")

one <- cells("a", 5, 12)
m1 <- lmer(y ~ 1 + (1 | unit) + (1 | item), one, control = tight)
out$crossed_one <- list(rows = one, fit = fixed(m1, 1))

two <- cells(c("a", "b"), 5, 12)
m2 <- lmer(y ~ 0 + arm + (1 | unit) + (1 | item) + (1 | arm:item), two, control = tight)
out$crossed_two <- list(rows = two, fit = fixed(m2, c(-1, 1)))
seeds_only <- lmer(y ~ 0 + arm + item + (1 | unit), two, control = tight, contrasts = list(item = "contr.sum"))
L <- c(-1, 1, rep(0, 11))
out$balanced_agreement <- list(rows = two, satterthwaite = fixed(seeds_only, L), kenward_roger = kr(seeds_only, L))

gaps <- two[-c(3, 17, 18, 44, 45, 46, 80, 101, 102, 119), ]
m3 <- lmer(y ~ 0 + arm + (1 | unit) + (1 | item) + (1 | arm:item), gaps, control = tight)
out$crossed_gaps <- list(rows = gaps, fit = fixed(m3, c(-1, 1)))

# CR2 with Satterthwaite df, arms and items as fixed effects, units as clusters.
cr2 <- function(d) {
  d$item <- factor(d$item); contrasts(d$item) <- contr.sum(nlevels(d$item))
  m <- lm(y ~ 0 + arm + item, d)
  V <- vcovCR(m, cluster = d$unit, type = "CR2")
  f <- linear_contrast(m, vcov = V, contrasts = matrix(c(-1, 1, rep(0, nlevels(d$item) - 1)), 1), level = 0.95,
                       test = "Satterthwaite")
  list(estimate = f$Est, se = f$SE, df = f$df, ci = c(f$CI_L, f$CI_U))
}
out$cr2_gaps <- list(rows = gaps, fit = cr2(gaps))
lopsided <- subset(gaps, !(unit %in% c("b4", "b5")))
out$cr2_lopsided <- list(rows = lopsided, fit = cr2(lopsided))

# Dunnett: three arms against a control.
g <- data.frame(arm = factor(rep(c("control", "x", "y", "z"), c(5, 4, 5, 3)), levels = c("control", "x", "y", "z")))
g$y <- round(rnorm(nrow(g), c(control = 0, x = 1, y = 0.3, z = 1.5)[as.character(g$arm)], 0.7), 4)
du <- glht(aov(y ~ arm, g), linfct = mcp(arm = "Dunnett"))
set.seed(1); s <- summary(du, test = adjusted("single-step", abseps = 1e-6, maxpts = 5e5))
set.seed(1); ci <- confint(du)
out$dunnett <- list(arm = as.character(g$arm), y = g$y, estimate = as.numeric(s$test$coefficients),
                    p = as.numeric(s$test$pvalues), ci_low = as.numeric(ci$confint[, 2]), ci_high = as.numeric(ci$confint[, 3]))

# Exact permutation of two arms.
pd <- data.frame(y = c(a, b), arm = factor(rep(c("a", "b"), c(5, 4))))
out$permutation <- list(a = a, b = b,
  greater = as.numeric(pvalue(oneway_test(y ~ arm, pd, distribution = "exact", alternative = "greater"))),
  two_sided = as.numeric(pvalue(oneway_test(y ~ arm, pd, distribution = "exact"))))

# Exact McNemar.
out$mcnemar <- list(b = 12, c = 3, p = binom.test(12, 15)$p.value)

# Boundaries of five equal looks: each solved from the multivariate normal of all statistics so far.
library(mvtnorm)
boundaries <- function(spent) {
  t <- seq_along(spent) / length(spent); z <- c()
  for (k in seq_along(spent)) {
    corr <- outer(t[1:k], t[1:k], function(a, b) sqrt(pmin(a, b) / pmax(a, b)))
    crossed <- function(b) {
      set.seed(7)
      stay <- if (k == 1) pnorm(b) else pmvnorm(upper = c(z, b), corr = corr, algorithm = GenzBretz(2e6, 1e-8, 0))[1]
      1 - stay - spent[k]
    }
    z <- c(z, uniroot(crossed, c(1, 6), tol = 1e-8)$root)
  }
  z
}
at <- (1:5) / 5
out$looks <- list(alpha = 0.025, obrien_fleming = boundaries(2 * pnorm(qnorm(1 - 0.025 / 2) / sqrt(at), lower.tail = FALSE)),
                  pocock = boundaries(0.025 * log(1 + (exp(1) - 1) * at)))

out$versions <- c(R = as.character(getRversion()), sapply(c("lme4", "lmerTest", "pbkrtest", "clubSandwich", "multcomp",
  "coin", "effectsize", "mvtnorm"), function(p) as.character(packageVersion(p))))
out$versions <- as.list(out$versions)
write_json(out, "frequentist.json", auto_unbox = TRUE, digits = 12, pretty = FALSE)
cat("\n", file = "frequentist.json", append = TRUE)
