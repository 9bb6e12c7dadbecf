-- The measures that every pass rate shares. Only what the judge scored counts; what it could not score
-- is counted apart and never as a zero.
-- n_scored [rows]: How many were judged with a verdict, PASSED or FAILED
-- n_passed [rows]: How many of the scored passed
-- n_unscored [rows]: How many the judge could not score; part of no rate and no mean
-- pass_rate [0..1]: n_passed / n_scored; null where nothing was scored
-- pass_rate_low [0..1]: Lower end of the pass rate's 95 % Wilson score interval
-- pass_rate_high [0..1]: Upper end of the pass rate's 95 % Wilson score interval
-- mean_score [0..1]: Mean score of the scored
-- std_score [0..1]: Standard deviation of their scores (n - 1); null below two

-- Wilson (1927): centre and half width of the interval for k of n; 1.959963984540054 is the normal
-- distribution's 97.5 % point.
CREATE MACRO wilson_centre(k, n) AS
    (k + 1.959963984540054::DOUBLE ^ 2 / 2) / (n + 1.959963984540054::DOUBLE ^ 2);
CREATE MACRO wilson_half_width(k, n) AS
    1.959963984540054::DOUBLE * sqrt(k * (n - k) / n::DOUBLE + 1.959963984540054::DOUBLE ^ 2 / 4)
    / (n + 1.959963984540054::DOUBLE ^ 2);
CREATE MACRO wilson_low(k, n) AS
    CASE WHEN n > 0 THEN greatest(0::DOUBLE, wilson_centre(k, n) - wilson_half_width(k, n)) END;
CREATE MACRO wilson_high(k, n) AS
    CASE WHEN n > 0 THEN least(1::DOUBLE, wilson_centre(k, n) + wilson_half_width(k, n)) END;

CREATE MACRO measures(is_passed, is_unscored, score) AS {
    n_scored: count(is_passed),
    n_passed: count(*) FILTER (WHERE is_passed),
    n_unscored: count(*) FILTER (WHERE is_unscored),
    pass_rate: avg(is_passed::INTEGER),
    pass_rate_low: wilson_low(count(*) FILTER (WHERE is_passed), count(is_passed)),
    pass_rate_high: wilson_high(count(*) FILTER (WHERE is_passed), count(is_passed)),
    mean_score: avg(score) FILTER (WHERE is_passed IS NOT NULL),
    std_score: stddev_samp(score) FILTER (WHERE is_passed IS NOT NULL)
};
