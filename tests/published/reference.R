# Makes reference values with R packages; see README.md for versions. Run: Rscript reference.R FILE, where FILE is a JSON file of this folder
# (its inputs are read, the peers' answers are printed as JSON).
suppressPackageStartupMessages({library(jsonlite); library(spdep); library(surveillance)})

grid <- function(input) {
  index <- seq_along(input$value) - 1
  xy <- cbind(index %% input$nrow, index %/% input$nrow)
  neighbours <- dnearneigh(xy, 0, 1.5)
  binary <- nb2listw(neighbours, style = "B"); rows <- nb2listw(neighbours, style = "W")
  list(gi = as.numeric(localG(input$value, binary)),
       gistar = as.numeric(localG(input$value, nb2listw(include.self(neighbours), style = "B"))),
       local_total = localmoran(input$value, rows, conditional = FALSE),
       local_conditional = localmoran(input$value, rows, conditional = TRUE),
       moran = moran.test(input$value, rows)$estimate,
       moran_normal = moran.test(input$value, rows, randomisation = FALSE)$estimate,
       geary = geary.test(input$value, rows)$estimate,
       general_g = globalG.test(input$value, binary)$estimate)
}

rates <- function(input) {
  neighbours <- lapply(input$neighbours_1based, as.integer)
  class(neighbours) <- "nb"
  global <- EBest(input$cases, input$births)
  list(eb = global$estmm, parameters = attr(global, "parameters"), eb_local = EBlocal(input$cases, input$births, neighbours)$est,
       moran = EBImoran.mc(input$cases, input$births, nb2listw(neighbours, zero.policy = TRUE), nsim = 99)$statistic)
}

alarms <- function(input) {
  range <- input$range_first:length(input$y)
  series <- sts(observed = input$y, start = input$start, frequency = 52)
  flexible <- farringtonFlexible(series, control = list(
    range = range, b = 3, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, reweight = TRUE, weightsThreshold = 2.58, alpha = 0.01,
    trend = TRUE, pThresholdTrend = 1, limit54 = c(0, 4), thresholdMethod = "nbPlugin"))
  original <- farrington(series, control = list(range = range, b = 3, w = 3, reweight = TRUE, alpha = 0.01, trend = TRUE,
                                                limit54 = c(0, 4), powertrans = "2/3"))
  answer <- function(found) list(ub = as.numeric(upperbound(found)), alarm = as.numeric(surveillance::alarms(found)))
  ears <- function(method) answer(earsC(series, control = list(range = range, method = method, alpha = 0.001)))
  list(C1 = ears("C1"), C2 = ears("C2"), C3 = ears("C3"), farringtonFlexible = answer(flexible), farrington = answer(original))
}

pairs <- function(input) {
  found <- knox(dt = dist(input$t), ds = dist(cbind(input$x, input$y)), eps.t = input$eps_t, eps.s = input$eps_s, simulate.p.value = FALSE)
  list(knox = found$statistic, null_mean = found$null.value, p_poisson = found$p.value)
}

file <- commandArgs(trailingOnly = TRUE)[1]
input <- fromJSON(file)
make <- switch(sub("_.*", "", basename(file)), grid = grid, eb = rates, alarm = alarms, knox = pairs)
cat(toJSON(make(input), digits = NA, auto_unbox = TRUE), "\n")
