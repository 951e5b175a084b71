# Reference answers for slopes, adjusted contrasts and rank correlations over units, by R packages.
# Run from this folder:  Rscript doses.R
# Writes doses.json: the inputs (drawn here, rounded), the answers, and the versions that gave them.

suppressMessages({ library(jsonlite); library(clubSandwich) })
set.seed(20261129)
out <- list()

one <- function(fit, cluster, L) {
  V <- vcovCR(fit, cluster = cluster, type = "CR2")
  f <- linear_contrast(fit, V, matrix(L, 1), test = "Satterthwaite", level = 0.95)
  list(estimate = f$Est, se = f$SE, df = f$df, ci = c(f$CI_L, f$CI_U))
}

# A slope over runs: every seed at every dose; some runs lost; one dose a run.
d <- expand.grid(unit = paste0("s", 1:5), x = c(0, 1, 2, 4), stringsAsFactors = FALSE)
d$y <- round(0.3 + 0.08 * d$x + rnorm(5, 0, 0.1)[match(d$unit, unique(d$unit))] +
             rnorm(5, 0, 0.03)[match(d$unit, unique(d$unit))] * d$x + rnorm(nrow(d), 0, 0.05), 4)
slope <- function(d, cluster = d$unit) one(lm(y ~ x, d), cluster, c(0, 1))
out$slope_balanced <- list(rows = d, fit = slope(d))
gaps <- d[-c(3, 7, 8, 14, 20), ]
out$slope_gaps <- list(rows = gaps, fit = slope(gaps))
runs <- data.frame(unit = paste0("r", 1:9), x = c(1, 1, 2, 3, 3, 4, 5, 8, 8))
runs$y <- round(0.2 + 0.05 * runs$x + rnorm(9, 0, 0.04 * sqrt(runs$x)), 4)
out$slope_runs <- list(rows = runs, fit = slope(runs))

# A contrast of two arms adjusted for answer length, seeds shared by the arms; one run lost; and arms of strangers.
a <- expand.grid(unit = paste0("s", 1:6), arm = c("a", "b"), stringsAsFactors = FALSE)
seed_e <- rnorm(6, 0, 0.1)
a$x <- round(100 + 30 * (a$arm == "b") + rnorm(12, 0, 15), 1)
a$y <- round(0.4 + 0.1 * (a$arm == "b") + 0.002 * (a$x - 100) + seed_e[match(a$unit, unique(a$unit))] +
             rnorm(12, 0, 0.04), 4)
adjusted <- function(d, cluster = d$unit) one(lm(y ~ 0 + arm + x, d), cluster, c(-1, 1, 0))
out$adjusted <- list(rows = a, fit = adjusted(a))
lost <- a[-9, ]
out$adjusted_gaps <- list(rows = lost, fit = adjusted(lost))
out$adjusted_strangers <- list(rows = a, fit = adjusted(a, seq_len(nrow(a))))

# Rank correlations within units: R's own, and a t interval over their z.
p <- expand.grid(unit = paste0("s", 1:5), item = 1:8, stringsAsFactors = FALSE)
p$x <- round(runif(8)[p$item], 3)
p$y <- round(0.7 - 0.4 * p$x + rnorm(nrow(p), 0, 0.15), 4)
p$y[p$unit == "s2"][1:2] <- 0.5
ranks <- function(method) {
  r <- sapply(split(p, p$unit), function(u) cor(u$x, u$y, method = method))
  t <- t.test(atanh(r))
  list(r = as.numeric(r), estimate = tanh(unname(t$estimate)), ci = tanh(as.numeric(t$conf.int)),
       p_below = t.test(atanh(r), mu = atanh(-0.2), alternative = "less")$p.value)
}
out$ranks <- list(rows = p, spearman = ranks("spearman"), kendall = ranks("kendall"))

out$versions <- list(R = paste(R.version$major, R.version$minor, sep = "."),
                     clubSandwich = as.character(packageVersion("clubSandwich")))
write_json(out, "doses.json", digits = NA, auto_unbox = TRUE, pretty = FALSE)
