"""Evidence by kind: what a stranger may believe, one fact at a time, and what raises no level whatever its label."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from seedlock.prereg.base.canonical import canonical_json, sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.beacon import BeaconRefused, BeaconTrust, BeaconUnchecked, beacon_time, read_beacon
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.lock.drand import DEFAULT, ON_G1, QUICKNET, DrandChain, check_round, read_chain
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Verification
from seedlock.prereg.verify.signatures import sign
from seedlock.prereg.verify.stamps import opentimestamps_time
from seedlock.prereg.verify.statements import ledger_statement
from seedlock.prereg.verify.trust import Trust, bring_trust
from tests.conftest import PLAN, StudyFixture, git
from tests.evidence_builders import Key, make_authority, make_header, make_key, make_timestamp


@dataclass(frozen=True, slots=True)
class Proven:
    """A study with every kind of evidence, and what its reviewer holds."""

    study: StudyFixture
    author: Key
    other: Key
    trust: Trust
    options: tuple[str, ...]


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Proven:
    """Locked, signed, stamped, pushed, dated from below, imported, reported, replayed by somebody else."""
    mine = tmp_path_factory.mktemp("reviewer")
    study = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("repository"), name="spread"))
    author, other = make_key(mine, "author"), make_key(mine, "ada")
    authority, header = make_authority(mine / "tsa"), mine / "headers"
    signers = mine / "allowed_signers"
    signers.write_text(author.line + other.line)
    study.write_plan(PLAN)
    study.run("lock")
    study.run("sign", "--key", str(author.private))
    study.run("stamp")
    make_timestamp(authority, study.paths.locks / "ledger-line-0002.json", mine / "reply.tsr")
    study.run("stamp", str(mine / "reply.tsr"))
    block = make_header(at=4_000_000_000)
    header.write_text(block.hex() + "\n")
    study.run("import", str(study.bring_data()), "--beacon", str(header))
    study.run("analyze")
    study.run("sign", "--key", str(other.private), "--what", "replay", "--by", "ada")
    root = study.paths.root
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all of it")
    git(root, "init", "-q", "--bare", str(mine / "remote"))
    git(root, "remote", "add", "origin", str(mine / "remote"))
    git(root, "push", "-q", "origin", "main")
    named = {"--allowed-signers": signers, "--tsa-ca": authority, "--bitcoin-headers": header}
    return Proven(
        study=study,
        author=author,
        other=other,
        trust=bring_trust(root, signers=signers, authorities=authority, headers=header),
        options=tuple(text for option, path in named.items() for text in (option, str(path))),
    )


@pytest.fixture
def forged(proven: Proven, tmp_path: Path) -> StudyPaths:
    """A copy that a forger may change."""
    shutil.copytree(proven.study.paths.root, tmp_path / "copy")
    return StudyPaths(root=tmp_path / "copy", name="spread")


def states(done: Verification) -> dict[str, str]:
    return {check.id: check.state for check in done.checks}


def test_with_every_kind_of_evidence_the_highest_level_is_reached_and_each_fact_is_shown(proven: Proven) -> None:
    done = verify_study(proven.study.paths, trust=proven.trust)
    assert (done.exit_code, done.level) == (0, 5)
    facts = "\n".join(done.facts)
    for told in ("signed by author@example.org (SHA256:", "stand in origin/main", "saw ledger lines 1 to 2", "ada@"):
        assert told in facts
    said = proven.study.run("verify", *proven.options, "--require", "T5")
    assert "next   nothing" in said


def test_whoever_brings_nothing_sees_the_facts_and_no_level(proven: Proven) -> None:
    done = verify_study(proven.study.paths)
    assert done.level == 0
    assert states(done)["E2"] == "pass"  # a push counts on its own
    assert any("somebody unknown to you (SHA256:" in fact for fact in done.facts)
    assert "proof  T1 signed" in proven.study.run("status")


def test_what_lies_in_the_repository_under_review_raises_no_level(proven: Proven, forged: StudyPaths) -> None:
    options = dict(zip(proven.options[::2], proven.options[1::2], strict=True))
    for name, path in options.items():
        shutil.copy(path, forged.root / "lockfiles" / name.strip("-"))
    inside = bring_trust(
        forged.root,
        signers=forged.root / "lockfiles/allowed-signers",
        authorities=forged.root / "lockfiles/tsa-ca",
        headers=forged.root / "lockfiles/bitcoin-headers",
    )
    assert inside.inside == set(options)
    done = verify_study(forged, trust=inside)
    assert done.level == 0
    assert {states(done)[level] for level in ("E1", "E3")} == {"not checked"}


@pytest.mark.parametrize("option", ["--allowed-signers", "--tsa-ca", "--bitcoin-headers", "--drand-chain"])
def test_a_mistyped_path_is_an_error(proven: Proven, option: str) -> None:
    assert "no such file" in proven.study.run("verify", option, "/nowhere/at-all", ok=2)


def test_a_lock_signed_by_nobody_the_reviewer_allows_fails(proven: Proven, tmp_path: Path) -> None:
    (tmp_path / "signers").write_text(proven.other.line)
    trust = bring_trust(proven.study.paths.root, signers=tmp_path / "signers")
    assert verify_study(proven.study.paths, trust=trust).exit_code == 8


def test_a_file_that_only_has_the_name_of_a_replay_is_none(proven: Proven, forged: StudyPaths) -> None:
    (forged.locks / "replay-ada.json").unlink()
    (forged.locks / "replay-ada.json.sig").unlink()
    impostor = forged.locks / "replay-bob.json"
    impostor.write_text("{}\n")
    sign(impostor, proven.other.private, "replay")
    assert "replay-bob.json" in json.dumps(verify_study(forged, trust=proven.trust).as_json())
    assert states(verify_study(forged, trust=proven.trust))["E5"] == "fail"


def test_a_statement_signed_for_another_kind_does_not_count(proven: Proven, forged: StudyPaths) -> None:
    (forged.locks / "replay-ada.json.sig").unlink()
    sign(forged.locks / "replay-ada.json", proven.other.private, "ledger")
    assert states(verify_study(forged, trust=proven.trust))["E5"] == "fail"


def test_the_author_alone_is_no_third_party(proven: Proven, forged: StudyPaths) -> None:
    (forged.locks / "replay-ada.json.sig").unlink()
    sign(forged.locks / "replay-ada.json", proven.author.private, "replay")
    assert states(verify_study(forged, trust=proven.trust))["E5"] == "not checked"


def test_a_replay_of_an_earlier_report_does_not_vouch_for_this_one(proven: Proven, forged: StudyPaths) -> None:
    built = next(event for event in reversed(read_ledger(forged.ledger)) if event.name == "report.built")
    body = {key: built.body[key] for key in ("lock_id", "manifest_sha256")}
    append_event(forged.ledger, "report.built", {**body, "results_sha256": "0" * 64})
    assert states(verify_study(forged, trust=proven.trust))["E5"] == "not checked"


def test_a_stamp_made_after_the_report_says_nothing_of_what_came_first(proven: Proven, forged: StudyPaths) -> None:
    shutil.rmtree(forged.root / ".git")
    (forged.locks / "ledger-line-0002.json.tsr").unlink()
    file = ledger_statement(forged, read_ledger(forged.ledger))
    authority = proven.trust.authorities
    assert authority is not None
    make_timestamp(authority, file, file.with_name(file.name + ".tsr"))
    done = verify_study(forged, trust=proven.trust)
    assert states(done)["E3"] == "warn"
    assert done.level == 1  # no git, no push
    lock = lock_paths(forged)[-1]
    make_timestamp(authority, lock, lock.with_name(lock.name + ".tsr"))  # genTime is later than what the ledger says
    assert states(verify_study(forged, trust=proven.trust))["E3"] == "warn"


def test_a_stamp_of_other_bytes_fails(proven: Proven, forged: StudyPaths) -> None:
    token = forged.locks / "ledger-line-0002.json.tsr"
    authority = proven.trust.authorities
    assert authority is not None
    make_timestamp(authority, forged.plan, token)
    assert states(verify_study(forged, trust=proven.trust))["E3"] == "fail"


def test_a_statement_of_another_ledger_fails(proven: Proven, forged: StudyPaths) -> None:
    file = forged.locks / "ledger-line-0002.json"
    file.write_bytes(canonical_json({**json.loads(file.read_bytes()), "sha256": "0" * 64}) + b"\n")
    assert states(verify_study(forged, trust=proven.trust))["E3"] == "fail"


def test_a_beacon_after_the_first_data_dates_nothing(study: StudyFixture, tmp_path: Path) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    (tmp_path / "header").write_text(make_header().hex())
    study.run("beacon", str(tmp_path / "header"))
    trust = Trust(beacons=BeaconTrust(headers=frozenset({make_header_of(study)})))
    assert states(verify_study(study.paths, trust=trust))["E4"] == "warn"


def make_header_of(study: StudyFixture) -> bytes:
    return bytes.fromhex(read_ledger(study.paths.ledger)[-1].body["header"])


def test_a_block_header_that_anybody_could_have_made_counts_only_from_the_reviewers_list(tmp_path: Path) -> None:
    header = make_header(at=1_700_000_000)
    (tmp_path / "header").write_bytes(header)
    body = read_beacon(tmp_path / "header")
    with pytest.raises(BeaconUnchecked, match="anybody could have made"):
        beacon_time(body, BeaconTrust())
    assert beacon_time(body, BeaconTrust(headers=frozenset({header}))).isoformat() == "2023-11-14T22:13:20+00:00"


def test_the_first_block_header_hashes_as_the_world_knows_it_and_any_changed_byte_breaks_its_work() -> None:
    root = bytes.fromhex("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b")[::-1]
    numbers = (1231006505, 0x1D00FFFF, 2083236893)
    genesis = (1).to_bytes(4, "little") + bytes(32) + root + b"".join(n.to_bytes(4, "little") for n in numbers)
    body = {"kind": "bitcoin", "header": genesis.hex()}
    value = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    held = BeaconTrust(headers=frozenset({genesis}))
    assert beacon_time({**body, "value": value}, held).isoformat() == "2009-01-03T18:15:05+00:00"
    changed = bytearray(genesis)
    changed[40] ^= 1
    with pytest.raises(BeaconRefused, match="proof of work"):
        beacon_time({"kind": "bitcoin", "header": changed.hex(), "value": value}, held)


ROUND_1000 = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
ROUND_72785 = (
    "82f5d3d2de4db19d40a6980e8aa37842a0e55d1df06bd68bddc8d60002e8e959eb9cfa368b3c1b77d18f02a54fe047b8"
    "0f0989315f83b12a74fd8679c4f12aae86eaf6ab5690b34f1fddd50ee3cc6f6cdf59e95526d5a5d82aaa84fa6f181e42"
)
ROUND_72784 = (
    "a609e19a03c2fcc559e8dae14900aaefe517cb55c840f6e69bc8e4f66c8d18e8a609685d9917efbfb0c37f058c2de88f"
    "13d297c7e19e0ab24813079efe57a182554ff054c7638153f9b26a60e7111f71a0ff63d9571704905d3ca6df0b031747"
)


def test_rounds_of_both_drand_chains_hold_and_others_do_not(tmp_path: Path) -> None:
    pytest.importorskip("py_ecc")
    signature = bytes.fromhex(ROUND_1000)
    assert check_round(QUICKNET, 1000, signature, b"")
    assert not check_round(QUICKNET, 1001, signature, b"")
    assert check_round(DEFAULT, 72785, bytes.fromhex(ROUND_72785), bytes.fromhex(ROUND_72784))
    assert not check_round(QUICKNET, 1000, bytes(48), b"")
    file = tmp_path / "round.json"
    file.write_text(json.dumps({"round": 1000, "signature": ROUND_1000, "randomness": "00"}))
    body = read_beacon(file)
    assert body["value"] == "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"
    assert beacon_time(body, BeaconTrust()).isoformat() == "2023-08-23T15:59:24+00:00"


def test_a_chain_of_the_reviewers_own_is_read_from_its_info(tmp_path: Path) -> None:
    curve = pytest.importorskip("py_ecc.optimized_bls12_381")
    points, hashing = import_module("py_ecc.bls.g2_primitives"), import_module("py_ecc.bls.hash_to_curve")
    secret, number = 0x5EED, 7
    info = {
        "hash": "ab" * 32,
        "public_key": bytes(points.G2_to_signature(curve.multiply(curve.G2, secret))).hex(),
        "period": 3,
    }
    info |= {"genesis_time": 1_900_000_000, "schemeID": QUICKNET.scheme}
    (tmp_path / "info").write_text(json.dumps(info))
    chain = read_chain(tmp_path / "info")
    message = hashlib.sha256(number.to_bytes(8, "big")).digest()
    hashed = hashing.hash_to_G1(message, ON_G1, hashlib.sha256)
    signature = bytes(points.G1_to_pubkey(curve.multiply(hashed, secret)))
    assert isinstance(chain, DrandChain)
    assert check_round(chain, number, signature, b"")
    assert chain.time_of(number).timestamp() == 1_900_000_018


def test_what_is_no_beacon_is_refused(tmp_path: Path) -> None:
    for text in ("", "{}", '{"round": -1, "signature": "00"}', "[" * 5000, "zz" * 80):
        (tmp_path / "x").write_text(text)
        with pytest.raises(BadInput):
            read_beacon(tmp_path / "x")


def test_an_opentimestamps_proof_leads_to_a_header_that_the_reviewer_holds(tmp_path: Path) -> None:
    pytest.importorskip("opentimestamps")
    notary, op, serialize, stamps = (
        import_module(f"opentimestamps.core.{name}") for name in ("notary", "op", "serialize", "timestamp")
    )
    document, proof = tmp_path / "statement.json", tmp_path / "statement.json.ots"
    document.write_text("{}\n")
    stamp = stamps.Timestamp(bytes.fromhex(sha256_file(document)))
    end = stamp.ops.add(op.OpAppend(b"salt")).ops.add(op.OpSHA256())
    end.attestations.add(notary.BitcoinBlockHeaderAttestation(900_000))
    context = serialize.BytesSerializationContext()
    stamps.DetachedTimestampFile(op.OpSHA256(), stamp).serialize(context)
    proof.write_bytes(context.getbytes())
    header = make_header(merkle_root=end.msg, at=1_800_000_000)
    moment = opentimestamps_time(document, proof, BeaconTrust(headers=frozenset({header, make_header()})))
    assert moment is not None
    assert moment.timestamp() == 1_800_000_000
    assert opentimestamps_time(document, proof, BeaconTrust(headers=frozenset({make_header()}))) is None
    document.write_text("{} \n")
    with pytest.raises(Exception, match="another document"):
        opentimestamps_time(document, proof, BeaconTrust(headers=frozenset({header})))


def test_evidence_that_is_required_and_absent_exits_9(reported: StudyFixture) -> None:
    reported.run("verify", "--require", "T0")
    reported.run("verify", "--require", "T1", ok=9)


def test_a_withdrawn_report_says_so_wherever_it_is_shown(forged: StudyPaths) -> None:
    study = StudyFixture(forged)
    study.run("withdraw", "--reason", "the corpus was taken back")
    assert "withdrawn: the corpus was taken back" in study.run("show")
    assert "[withdrawn]" in study.run("verify")
