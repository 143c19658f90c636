"""The benchmark command: both sides of every claim, run in one go, as ratios.

    python tests/benchmarks                 everything, about an hour on two cores
    python tests/benchmarks velocity plain  some of it

`velocity`  one evaluation against a plain matrix product, and how it scales in n, D and h
`memory`    the compiler's own account of temporaries, and the peak of a whole flow
`scale`     flows at init scale 1e-100 and 1e-300 against one at 1e-7
`plain`     a flow at n = 2000, h = 200 against a plain diffrax solve, with the errors of both
`faint`     escapes of noise-free flows down to 1e-200 against a flow in logarithms
`kinks`     what sliding along kinks costs at p = 1, against two smoothings
`published` a flow at the published size against the published SGD procedure
`attack`    the radii of 20,000 samples at the published size against the published attack
`search`    radii of small networks, with and without walks in balls, and an attack by slopes
`certificates` certified against attacked radii, with the bound by tangent planes and without
`layers`    certified against attacked radii of networks on digits, by depth
`quickstart` the quickstart as a user runs it, its verdicts and its figures
`largest`   a plain diffrax solve at the published size, p = 3 (not run unless asked)
"""

import sys

import attack
import certificates
import faint
import kinks
import largest
import layers
import memory
import plain
import published
import quickstart
import scale
import search
import velocity

PARTS = {
    "velocity": velocity.main,
    "memory": memory.main,
    "scale": scale.main,
    "plain": plain.main,
    "faint": faint.main,
    "kinks": kinks.main,
    "published": published.main,
    "attack": attack.main,
    "search": search.main,
    "certificates": certificates.main,
    "layers": layers.main,
    "quickstart": quickstart.main,
    "largest": largest.main,
}


def main(names: list[str]) -> None:
    if unknown := set(names) - set(PARTS):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in names or [name for name in PARTS if name != "largest"]:
        print(f"\n== {name}", flush=True)
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
