"""A synthetic score table of arms on moving mixtures, shared by the tests of their figures."""

import numpy as np

from lawcheck.corpus import moving
from lawcheck.declare.design import Law
from lawcheck.scores import DETECTED, DIFFERENT, DRAWN, LOSS, PRETRAINED, WEIGHT

DOMAINS = ("math", "chemistry", "biology", "medicine", "geography", "general")
KNOWN = dict(zip(DOMAINS, (0.40, 0.25, 0.15, 0.10, 0.06, 0.04), strict=True))
SIZES = dict(zip(DOMAINS, (3000, 3000, 3000, 3000, 1787, 2700), strict=True))
PHASES, ROWS = 8, 1500


def known(base: str) -> dict[str, float]:
    """What a base emits: the second knows the other way round."""
    shares = list(KNOWN.values())
    return dict(zip(DOMAINS, shares[::-1] if base.endswith("b") else shares, strict=True))


def start(arm) -> dict[str, float]:
    mixture = arm.mixture
    if mixture.given:
        return dict(mixture.given)
    return moving.start_weights(mixture, DOMAINS, arm.base, known(mixture.knowledge_of or arm.base))


def path(arm, rng) -> list[dict[str, float]]:
    """Weights of every phase: towards what has most loss left, or towards the target."""
    weights, found = start(arm), []
    for _ in range(PHASES):
        found.append(dict(weights))
        if arm.mixture.update == "none":
            continue
        pull = {d: 1.0 + rng.uniform(0, 0.4) * (1 - w) for d, w in weights.items()}
        if arm.mixture.target:
            pull[arm.mixture.target] *= 1.25 if arm.mixture.guard else 1.5
        total = sum(w * pull[d] for d, w in weights.items())
        weights = {d: w * pull[d] / total for d, w in weights.items()}
    return found


def quality(arm, domain: str, weights: list[dict[str, float]]) -> float:
    """More of a domain teaches more of it, with falling returns; nothing of it is forgotten."""
    before = 0.22 + 0.5 * known(arm.base)[domain]
    if arm.mixture is None:
        return before
    share = np.mean([w.get(domain, 0.0) for w in weights])
    return before + (0.30 * (1 - np.exp(-9 * share)) if share > 0 else -0.08)


def rows(law: Law, seeds: int = 5, items: int = 60, seed: int = 0) -> list[dict]:
    """Item scores, weights, losses and rows of every arm; shares of every base."""
    rng = np.random.default_rng(seed)
    found = []
    for arm in law.arms:
        for s in range(seeds):
            common = {"arm": arm.name, "seed": s, "cluster": "", "run_id": f"{arm.name}-{s}"}

            def add(task, item, metric, value, common=common):
                own = {"task": task, "item_id": item, "metric": metric, "value": float(value)}
                found.append(common | own)

            weights = path(arm, rng) if arm.mixture is not None else []
            for d in DOMAINS:
                hard = np.random.default_rng(len(d)).normal(0, 0.12, items)
                level = quality(arm, d, weights) + rng.normal(0, 0.01)
                right = rng.random(items) < np.clip(level + hard, 0.02, 0.98)
                for k, v in enumerate(right):
                    add(f"test_{d}", f"i{k}", "acc", v)
            if arm.mixture is None:
                for d, share in known(arm.base).items():
                    for k in range(1, 6):
                        add(d, str(k), DETECTED, max(0.0, share + rng.normal(0, 0.012)))
                    add(d, "mean", PRETRAINED, share)
                continue
            loss = {d: 1.4 - known(arm.base)[d] for d in weights[0]}
            for d, value in loss.items():
                add(d, "0", LOSS, value)
            for k, shares in enumerate(weights, start=1):
                for d, share in shares.items():
                    add(d, str(k), WEIGHT, share)
                    loss[d] *= np.exp(-0.6 * share) * rng.uniform(0.97, 1.0)
                    add(d, str(k), LOSS, loss[d])
            for d in weights[0]:
                drawn = sum(moving.apportioned(w, ROWS)[d] for w in weights)
                add(d, "run", DRAWN, drawn)
                add(d, "run", DIFFERENT, min(drawn, SIZES[d]))
    return found
