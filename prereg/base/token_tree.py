"""Rows of tokens as trees: a beginning that rows share is one branch, which a model then reads once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

CPU_TOKENS = 512
GPU_TOKENS = 8192
"""Tokens of one tree, unless a row is longer: attention costs their square, and a GPU minds it less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTree:
    """Rows in one sequence: every token sees those before it in its own row, and no other.

    A row's hidden states, and so its logits, are then those of the row read alone, in any model whose only way from
    token to token is masked attention with positions given.

    Parameters
    ----------
    tokens, depths
        One entry a node: the token, and its position in each row that passes through it.
    rows, paths
        Which rows stand in the tree (indices into those planted), and the nodes of each, first token first.
    """

    tokens: Sequence[int]
    depths: Sequence[int]
    rows: Sequence[int]
    paths: Sequence[Sequence[int]]


@dataclass(slots=True)
class _Growing:
    tokens: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    paths: list[list[int]] = field(default_factory=list)
    _next: dict[tuple[int, int], int] = field(default_factory=dict)

    def walk(self, row: Sequence[int]) -> list[int]:
        """Nodes of the longest beginning of `row` that stands here."""
        path: list[int] = []
        for token in row:
            node = self._next.get((path[-1] if path else -1, token))
            if node is None:
                break
            path.append(node)
        return path

    def add(self, index: int, row: Sequence[int], path: list[int]) -> None:
        """Let `row` grow out of the end of `path`."""
        for token in row[len(path) :]:
            self._next[(path[-1] if path else -1, token)] = len(self.tokens)
            self.depths.append(len(path))
            path.append(len(self.tokens))
            self.tokens.append(token)
        self.rows.append(index)
        self.paths.append(path)


def plant(rows: Sequence[Sequence[int]], *, most: int) -> list[TokenTree]:
    """Put rows into as few trees as sharing allows, each of at most `most` tokens or of one row.

    Rows that begin alike are neighbours: they are taken in the order of their tokens.
    """
    trees: list[_Growing] = []
    for index in sorted(range(len(rows)), key=lambda i: tuple(rows[i])):
        row = rows[index]
        path = trees[-1].walk(row) if trees else []
        if not trees or len(trees[-1].tokens) + len(row) - len(path) > most:
            trees.append(_Growing())
            path = []
        trees[-1].add(index, row, path)
    return [TokenTree(tokens=t.tokens, depths=t.depths, rows=t.rows, paths=t.paths) for t in trees]
