"""Writes epsilon.csv: what dp-accounting (PyPI) says of rounds of the sampled Gaussian mechanism.

    python3 -m venv venv && venv/bin/pip install dp-accounting==0.6.0
    venv/bin/python epsilon.py > epsilon.csv

Columns: sampling, sampling rate q, noise multiplier, rounds, delta, epsilon, optimal order. For "fixed" the
multiplier is noise over the sensitivity of replacing one client, as dp-accounting takes it. "fixed-exact" is the
same bound by the same program, but with its forward differences computed to 400 digits by mpmath, as in float64
those of high order are lost to rounding where the noise is strong.
"""
import functools

import dp_accounting
import mpmath
from absl import logging
from dp_accounting.rdp import RdpAccountant, rdp_privacy_accountant

REPLACE = dp_accounting.NeighboringRelation.REPLACE_ONE
CLIENTS = 1000
logging.set_verbosity(logging.ERROR)  # it warns of each order that it leaves out
mpmath.mp.dps = 400

CASES = [
    (q, sigma, rounds, delta)
    for q in (0.001, 0.01, 0.1, 0.5, 1.0)
    for sigma in (0.5, 0.8, 1.1, 2.0, 4.0, 10.0)
    for rounds in (1, 10, 100, 1000)
    for delta in (1e-3, 1e-5, 1e-8)
]


@functools.cache
def exact(two, n):
    """Logs of the forward differences of orders 1 to n + 2 of exp((s² - s) / 2σ²) at 0; two is 1/σ²."""
    row = [mpmath.exp(mpmath.mpf(two) * s * (s - 1) / 2) for s in range(n + 3)]
    logs = []
    for _ in range(n + 2):
        row = [b - a for a, b in zip(row, row[1:])]
        logs.append(float(mpmath.log(abs(row[0]))) if row[0] else float("-inf"))
    return logs, None


def write(name, accountant, event, case):
    q, sigma, rounds, delta = case
    accountant.compose(event, rounds)
    epsilon, order = accountant.get_epsilon_and_optimal_order(delta)
    print(f"{name},{q},{sigma},{rounds},{delta},{epsilon:.10g},{order:g}")


print("sampling,q,sigma,rounds,delta,epsilon,order")
inexact = rdp_privacy_accountant._get_forward_diffs
for case in CASES:
    q, sigma, rounds, delta = case
    gaussian = dp_accounting.GaussianDpEvent(sigma)
    write("poisson", RdpAccountant(), dp_accounting.PoissonSampledDpEvent(q, gaussian), case)
    fixed = dp_accounting.SampledWithoutReplacementDpEvent(CLIENTS, round(q * CLIENTS), gaussian)
    write("fixed", RdpAccountant(neighboring_relation=REPLACE), fixed, case)
    rdp_privacy_accountant._get_forward_diffs = lambda fun, n: exact(fun(1.0), n)
    write("fixed-exact", RdpAccountant(neighboring_relation=REPLACE), fixed, case)
    rdp_privacy_accountant._get_forward_diffs = inexact
