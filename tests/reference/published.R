# Answers by R packages to data that others published.
# Run from this folder:  Rscript published.R
# Writes published.json: the data, the answers, and the versions that gave them.

suppressMessages({
  library(jsonlite); library(lme4); library(lmerTest); library(clubSandwich); library(multcomp); library(psych); library(vcd)
})
out <- list()

# Mixed models: the example data of lme4.
tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5),
                     check.conv.grad = "ignore", check.conv.singular = "ignore")
fixed <- function(m, L) { f <- contest1D(m, L, ddf = "Satterthwaite")
  list(estimate = f$Estimate, se = f[["Std. Error"]], df = f$df) }
sds <- function(m) { v <- as.data.frame(VarCorr(m)); setNames(as.list(v$sdcor), paste0(v$grp, ifelse(is.na(v$var2), "", ":corr"))) }

batches <- function(d) {  # Davies & Goldsmith 1972 (Dyestuff), Box & Tiao 1973 (Dyestuff2): 6 batches of 5 preparations
  m <- lmer(Yield ~ 1 + (1 | Batch), d, control = tight)
  list(unit = as.character(d$Batch), y = d$Yield, fit = fixed(m, 1), sd = sds(m))
}
out$dyestuff <- batches(Dyestuff)
out$dyestuff2 <- batches(Dyestuff2)
ragged <- Dyestuff[-c(3, 8, 9, 20, 21, 22, 30), ]
out$dyestuff_ragged <- batches(ragged)

m <- lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin, control = tight)
out$penicillin <- list(unit = as.character(Penicillin$plate), item = as.character(Penicillin$sample),
                       y = Penicillin$diameter, fit = fixed(m, 1), sd = sds(m))

m <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy, control = tight)
v <- as.data.frame(VarCorr(m))
out$sleepstudy <- list(unit = as.character(sleepstudy$Subject), day = sleepstudy$Days, y = sleepstudy$Reaction,
                       fit = fixed(m, c(0, 1)), slope_sd = v$sdcor[v$var1 == "Days" & is.na(v$var2) & !is.na(v$var1)])

# CR2 with three clusters: the plates a, b, c of Penicillin, complete and with cells left out.
cr2 <- function(d) {
  d$sample <- factor(d$sample); contrasts(d$sample) <- contr.sum(nlevels(d$sample))
  m <- lm(diameter ~ sample, d)
  f <- linear_contrast(m, vcov = vcovCR(m, cluster = d$plate, type = "CR2"), test = "Satterthwaite", level = 0.95,
                       contrasts = matrix(c(1, rep(0, nlevels(d$sample) - 1)), 1))
  list(unit = as.character(d$plate), item = as.character(d$sample), y = d$diameter,
       fit = list(estimate = f$Est, se = f$SE, df = f$df, ci = c(f$CI_L, f$CI_U)))
}
# Plates a, d, g differ from one another, which a, b, c do not.
three <- subset(Penicillin, plate %in% c("a", "d", "g"))
out$cr2_three <- cr2(three)
out$cr2_three_gaps <- cr2(three[-c(2, 9, 16, 17), ])

# Equivalence: from the summaries in Lakens 2017 and TOSTER's vignette, and Student's sleep data.
tost <- function(mean, se, df, bound, extra = list()) c(list(
  p = max(pt((mean + bound) / se, df, lower.tail = FALSE), pt((mean - bound) / se, df)),
  ci = mean + c(-1, 1) * qt(0.95, df) * se, df = df), extra)
pooled <- sqrt((94 * 0.95^2 + 88 * 0.83^2) / 182)
out$tost_two <- tost(5.25 - 5.22, pooled * sqrt(1 / 95 + 1 / 89), 182, 0.43 * pooled, list(bound = 0.43 * pooled))
one <- data.frame(mean = c(6.05, 6.68, 5.95, 6.45, 5.71) - 6, sd = c(1.5, 1.7, 1.4, 1.91, 1.79), n = c(21, 19, 20, 20, 20))
p <- with(one, mapply(function(mean, sd, n) tost(mean, sd / sqrt(n), n - 1, 0.68 * sd)$p, mean, sd, n))
out$tost_five <- c(as.list(one), list(p = p, holm = p.adjust(p, "holm")))
a <- sleep$extra[sleep$group == 1]; b <- sleep$extra[sleep$group == 2]
by_t_test <- function(bound, ...) list(
  bound = bound,
  p = max(t.test(a, b, mu = -bound, alternative = "greater", ...)$p.value,
          t.test(a, b, mu = bound, alternative = "less", ...)$p.value),
  ci = as.numeric(t.test(a, b, conf.level = 0.9, ...)$conf.int), different = t.test(a, b, ...)$p.value)
out$tost_sleep <- list(a = a, b = b, welch = by_t_test(0.5), paired = by_t_test(2.5, paired = TRUE))

# Families of tests: the fifteen p-values of Benjamini & Hochberg 1995, section 3.2.
p <- c(.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240, .4262, .5719, .6528, .7590, 1)
out$p_adjust <- list(p = p, holm = p.adjust(p, "holm"), bh = p.adjust(p, "BH"))

# Dunnett: blood counts of Dunnett 1955, and the recovery times of Westfall et al. 1999 in multcomp.
dunnett <- function(y, arm) {
  m <- aov(y ~ arm, data.frame(y, arm)); g <- glht(m, linfct = mcp(arm = "Dunnett"))
  set.seed(1); s <- summary(g, test = adjusted("single-step", abseps = 1e-7, maxpts = 2e6))
  set.seed(1); ci <- confint(g, calpha = uniroot(function(q) {
    set.seed(1); 0.95 - mvtnorm::pmvt(-rep(q, nrow(g$linfct)), rep(q, nrow(g$linfct)), df = g$df, corr = cov2cor(vcov(g)),
                                      algorithm = mvtnorm::GenzBretz(2e6, 1e-8, 0))[1] }, c(1, 6), tol = 1e-8)$root)
  list(arm = as.character(arm), y = y, control = levels(arm)[1], others = levels(arm)[-1],
       p = as.numeric(s$test$pvalues), ci_low = as.numeric(ci$confint[, 2]), ci_high = as.numeric(ci$confint[, 3]))
}
blood <- c(7.40, 8.50, 7.20, 8.24, 9.84, 8.32, 9.76, 8.80, 7.68, 9.36, 12.80, 9.68, 12.16, 9.20, 10.55)
out$dunnett_blood <- dunnett(blood, factor(rep(c("control", "A", "B"), c(6, 4, 5)), levels = c("control", "A", "B")))
out$dunnett_recovery <- dunnett(recovery$minutes, recovery$blanket)

# Rates at their ends: binom.test is Clopper and Pearson's; Jeffreys' limits are beta quantiles, 0 and 1 at the ends.
ends <- data.frame(k = c(0, 10, 0, 500), n = c(10, 10, 500, 500))
out$ends <- lapply(seq_len(nrow(ends)), function(i) with(ends[i, ], list(
  k = k, n = n, clopper_pearson = as.numeric(binom.test(k, n)$conf.int),
  wilson = as.numeric(prop.test(k, n, correct = FALSE)$conf.int),
  jeffreys = c(if (k == 0) 0 else qbeta(0.025, k + 0.5, n - k + 0.5), if (k == n) 1 else qbeta(0.975, k + 0.5, n - k + 0.5)))))

# Kappa by vcd: the table of Cohen 1960 and the couples of Agresti 1990. psych's plain interval is the same; its
# weighted one is not the variance of Fleiss, Cohen & Everitt 1969, and is kept to be shown.
kappas <- function(table, weights) {
  k <- Kappa(table, weights = weights); ci <- confint(k)
  list(table = unclass(matrix(table, nrow(table))), plain = list(value = unname(k$Unweighted[1]), ci = as.numeric(ci[1, ])),
       weighted = list(value = unname(k$Weighted[1]), ci = as.numeric(ci[2, ])))
}
cohen <- round(200 * matrix(c(.44, .07, .09, .05, .20, .05, .01, .03, .06), 3, byrow = TRUE))
out$kappa_cohen <- kappas(cohen, "Fleiss-Cohen")
by_psych <- suppressWarnings(cohen.kappa(cohen, n.obs = 200))$confid
for (i in 1:2) out$kappa_cohen[[c("plain", "weighted")[i]]]$psych_ci <- as.numeric(by_psych[i, c("lower", "upper")])
out$kappa_couples <- kappas(SexualFun, "Equal-Spacing")

out$versions <- c(R = as.character(getRversion()), sapply(c("lme4", "lmerTest", "clubSandwich", "multcomp", "psych", "vcd"),
  function(p) as.character(packageVersion(p))))
out$versions <- as.list(out$versions)
write_json(out, "published.json", auto_unbox = TRUE, digits = 12, pretty = FALSE)
cat("\n", file = "published.json", append = TRUE)
