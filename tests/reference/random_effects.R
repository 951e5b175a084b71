# Random-effects syntheses by R's metafor: REML, Hartung-Knapp-Sidik-Jonkman with and without truncation, Q profile,
# prediction intervals with k - 2 degrees of freedom.
# Run from this folder:  Rscript random_effects.R
# Writes random_effects.json: the data, the answers, and the versions that gave them.

suppressMessages({ library(jsonlite); library(metafor) })
tight <- list(threshold = 1e-14, maxiter = 10000)

answers <- function(y, se) {
  k <- length(y)
  fit <- function(test) rma(yi = y, sei = se, method = "REML", test = test, control = tight)
  knha <- fit("knha"); adhoc <- fit("adhoc"); q <- confint(knha, control = list(tol = 1e-14, tau2.max = 1000))$random
  one <- function(m) list(
    estimate = as.numeric(m$beta), se = m$se, ci = c(m$ci.lb, m$ci.ub),
    prediction = if (k > 2) as.numeric(m$beta) + c(-1, 1) * qt(.975, k - 2) * sqrt(m$tau2 + m$se^2) else NULL)
  riley <- if (k > 2) { p <- predict(knha, pi.type = "Riley"); c(p$pi.lb, p$pi.ub) } else NULL
  list(effect = y, se = se, knha = one(knha), adhoc = one(adhoc), riley = riley,
       tau2 = knha$tau2, tau2_ci = as.numeric(q["tau^2", 2:3]), i2 = knha$I2 / 100,
       i2_ci = as.numeric(q["I^2(%)", 2:3]) / 100, q = knha$QE, q_p = knha$QEp,
       weights = as.numeric(weights(knha)) / 100)
}

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
set.seed(20261129)
out <- list(
  bcg = answers(as.numeric(bcg$yi), sqrt(as.numeric(bcg$vi))),   # 13 trials of BCG, Colditz et al. 1994
  three_far_apart = answers(c(0.10, 0.31, 0.55), c(0.05, 0.03, 0.08)),
  three_alike = answers(c(0.21, 0.22, 0.20), c(0.05, 0.03, 0.08)),
  two = answers(c(0.23, 0.15), c(0.011, 0.025)),
  five = answers(round(rnorm(5, 0.1, 0.08), 4), c(0.02, 0.05, 0.04, 0.09, 0.03)),
  eight = answers(round(rnorm(8, -1, 2), 4), round(runif(8, 0.3, 2), 3)))
out$versions <- list(R = as.character(getRversion()), metafor = as.character(packageVersion("metafor")))
write(toJSON(out, digits = 15, auto_unbox = TRUE, null = "null", pretty = TRUE), "random_effects.json")
