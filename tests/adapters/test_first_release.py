"""What release 0.1 wrote is read: pickles, dumps, fingerprints, vectors in a cache."""

from __future__ import annotations

import pickle
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from earlier import langchain_loads, unpickled
from helpers import vectors_of

from gemini_embed import (
    FingerprintMismatchError,
    GeminiEmbedder,
    Retry,
    ServiceUnavailableError,
    check_fingerprint,
)
from gemini_embed.cache import SQLiteCache, cache_keys
from gemini_embed.contents import Content
from langchain_gemini_embed import GeminiEmbeddings
from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gemini_embed.standin import Standin

    Maker = Callable[..., GeminiEmbedder]

OPTIONS: dict[str, Any] = {
    "base_url": "http://127.0.0.1:1/",
    "task_type": "CLUSTERING",
    "output_dimensionality": 256,
}
"""Of all that is pickled and dumped here, beside the model "team/ours"."""

FINGERPRINT = "team_ours-at-c7bbde5c.256.clustering.prefix.unit"

PICKLES = {
    "GeminiEmbedder": (
        "c-mD`!EO^V5KU1-HjOAMrF;Wi62b+k7m%tdLO>1;oGtHq(wKPdtv#-?NJwx&Ao<qeNBA;6f$^p(VlA!4etz?2-"
        "uUbOuiy82-Iq=-"
        "q1ILls7p}e?yta8DujnJYNP0eR=spM>#m*e@EiI<PgB2k3Jj$of~+Sl`ao$Q8!gt*QaWr}B`xY|jBNu94Hr;(zy)"
        "Uhvu~UtJrJQg6W7v2ptQH9P^RJ<Ji<n5nx{eI-6yD!!@{^qqIQ<!5wjF<c4-"
        "1{hbY5ZWF1NeXYW2PKAc~?na?PlxQI<ep>z#4FjpFlExqsUrJ;4c=Iv+Z?8}Ib(x^+*cv$KU{YZtgqBPR3DfPj7$"
        "G#kt604O6nKe%jYq=4XvsLsSY}L}+A`OtGSe0h4=eH&o3ZydHX38j2xMQy&7k-"
        "q(R<OC*31?NH*{eUdydB7lJMb>)lPw6F#@VeAqLcynMsFv}<#(4@r+*b4N)C=aTtx^NL<2tSM$Ba$p<A;-"
        "{~z`%S*>#LxC_KG8uQOd`k9KXD5B>#aJ)inPA8M;i<jf)yr!qq2^*SU15Yz-r}juHrLmiWSg|Jzbh9*?I}p-"
        "ecH5;4JTPup0T1E+7NvRoP8T%(3+#LgJ^"
    ),
    "GeminiEmbeddings": (
        "c-"
        "n1KTWb?R6mFrh8%wLbtMz_uy(En<LSGc51gXwLtIxyi?n%y=&CYgawkCq0FVez*g5&@6CwOMlq!r9UICJjvecybY"
        "`MohSRsGzZOyu1Jh0J*u`ZAXs`Z1)9>OYlv*LZiiT}5`!T)+I*H~+<Nx`^{sCYJN+RO_o0GVkgZM8By@O~ngcrMe"
        "k#QApl{Avua+Dsn56h8-"
        "3_8TA85G}r^H$9>&AH<gbciL3<grhDGRE;<5jVIZVuZnn_sBP5p0C{u~BQsrdNQB?}mU1Wxibt_DdhdJI|eEs&r!"
        "Ta6)H>~a5sw!<!T3WsjxuIH-NjvoKrlwszSGrHf&r~xbN~^q^tJ)MAI&$ETU8Hgz6K*~4YM`~!)I1h8L2g17bC>#"
        "Jz!Q}xrPh!qL%$cfSxcj6s&Btyr`Sg+h%}RVD47c-bYm?cEWQ}bAt%@a5-LxPZ@>I=S~m_-"
        "#Uwasx;6^Jpiub;2p$Uqlrc3POY2ujG^ci0Dl5oX)^J#Yv4$6*!`#w_wHB@F5kUVsYl%oO7%P>*J7t!gA?Z(C6ej"
        "XglN6TG+G3~KY(0O`*ru<w(`pi+K@G&F8L_q`NLRLEfg@o;fr`sa(ha!K-Rjs8h6tkzr$8iJ7)1lxr>k>SgdQPx-"
        "k|zKgsH9uWBf_!mN*~lj<B&>kYt%#Kj-"
        "a8$WlXy1~vcioA?A*v5vF2{?o0T%PX`z5*8}SyBg7~NhquTc|1V6hzRMplvzsB#vQkC{v|=sJ3Sj3LGl>C51hwEh"
        "D!{W8Llu|VGY+wmUsoP;<aPk!0UK};my4WZ%s(Y+YIk8ygQKy-"
        "aCukpD>RP7(Qh9h~Xx~EryRz=#EeE8N&v{Cd2JxY_amY-}k1B8-D?HlZ4d"
    ),
    "GeminiEmbedding": (
        "c-"
        "n1LZEqYk5Kg5W+1x?Xq%C|vqAhO<61p@krEMrQC4>_S^@oOjtSs;D+>JS}z4hARu2LoVP?SoRK*Idb{shK*FG(eC"
        "rIUANXXcq_p7HOi|890x+F!V#l&FN%B~17TDyb!hDu=S){+CjZV%Qk8j>DzppZLWe@nzf&8Rw-"
        "e9Ovy@w=yLtu0;hgtUD0Zj`6mM;ZmE7=fV}p8~Fm_Q5h~3LaAI7V_pd@Mqp#O)`H<Jntov{^cUYW{aiGZb>m=ecs"
        "!3egMvbr3aH$(7`oh9Q2=GGW9St|DJYyYny~ar7z(dk!cEa3%e_=iCfBNxO|rd;PomF5Py34hX6!g6W%DLd{|zrh"
        "fk3u*t#H7VtfV6>jG7kBn7e6BP`d{|KRy2C@X1eX5W`jDUF{vQRe^2@iBQr_<KvYJVO<+r(JQeMR)u$lFt%xG3qv"
        "`Hry(<%=St{t3>~o6*mw>MFN_|_5f$HZ(kbd0oG678d<;{vu8CT<$8fQpmO?vO^b<hpcl{U&3+~u0X$<f2rnT`Cp"
        "*#V)Fpf<gvJ<clCPJoswKcyIn{>>SDMX@`&OM4MfwBvg$l9pHBq1xjwV;b>Jj%kFqvnZ+IM`=%^<^c9Qc0b-"
        "?4=MYZ6%}(o9Q^^B)kO4=(34}hi~R_3nxV^oy(-}&zvx+jh-Rmt#}6eD~qy3X!{Y>={)zw2|8T1@Z3Y=8eW4<b-"
        "hclHk}#M$lf+~76Q1^9{A8JbvE1hnp8y<xwk5Y%jjIax3jZ*>u&!hJ-"
        "d6mJ2c`n7NWJ8(YGaNn6A|YN8)5Axn7|pb-"
        ";xkwXZ|bkc6n=5=a*B%)F8Lu*LaexYRdkpEi<(56)SK5>(j`TWMMUire@I@8Cyx54Z6?UdPYzL+s)j?)@FEoQtZh"
        "JV^>q`yDzwtt4srf9{F2y%}+umZ>B)AqyAJ-x}?vrZw%fcSOXD3V(?=8SXN?#qc&GFxT)pEd<`ckMWaJ{1iV6-"
        "M6j`{OTyfJIg`i*9`A6ytkAE-aqs0EvJp&Fnqx9TZZ2;e8_PBHTC{I9x(iY;UU8xPjSHfpS1Ih&-?!Y@&W1U"
    ),
}

RETRY = (
    "c-m`VnR=4}0(ykfQ*$%(GUHQolTuUkic(98DyQ_Y27&3xQ#2c=#7@!Z5k^szT2z!@R6M0eJUF$eEHgPZG%v9%F"
    "*7GIDJRtxBn8yhBV}q}tPtww80P5d<LKn$YNY@)P$4I=B(-Qt>y)4=wLnwZGxJhXD^iQ6X!fudBo>uqCguRed)"
    "SIg5=%;pr}%zn>|rZPO)SpOo6^ILWY&}(_T1Fs;>7gSDLo8RN|U^q+#R6a>GWpyW@(#}nxqE+wr5g9"
)

LANGCHAIN_DUMP: dict[str, Any] = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_gemini_embed", "embeddings", "GeminiEmbeddings"],
    "kwargs": {
        "model": "team/ours",
        "google_api_key": {"lc": 1, "type": "secret", "id": ["GOOGLE_API_KEY"]},
        "task_type": "CLUSTERING",
        "output_dimensionality": 256,
        "normalize": "auto",
        "task_prefix": True,
        "on_blank": "error",
        "max_concurrency": 8,
        "timeout": 60.0,
        "retry_min_seconds": 1.0,
        "retry_max_seconds": 60.0,
        "retry_exponential_base": 2.0,
        "base_url": "http://127.0.0.1:1/",
        "fast_decode": True,
    },
}
LLAMAINDEX_DUMP: dict[str, Any] = {
    "model_name": "team/ours",
    "embeddings_cache": None,
    "task_type": "CLUSTERING",
    "output_dimensionality": 256,
    "normalize": "auto",
    "task_prefix": True,
    "on_blank": "error",
    "embedding_config": None,
    "title_metadata_key": None,
    "vertexai": None,
    "project": None,
    "location": None,
    "base_url": "http://127.0.0.1:1/",
    "api_version": None,
    "class_name": "GeminiEmbedEmbedding",
}


@pytest.mark.parametrize("name", sorted(PICKLES))
def test_a_pickle_with_a_gateways_own_model_is_read_as_before(name: str) -> None:
    """With a warning that says what to add; the same settings, named so, have its fingerprint."""
    with pytest.warns(UserWarning, match='anew with behaves_like="gemini-embedding-2"'):
        back = unpickled(PICKLES[name])

    named = GeminiEmbedder(model="team/ours", behaves_like="gemini-embedding-2", **OPTIONS)
    assert back.fingerprint == named.fingerprint
    check_fingerprint(FINGERPRINT, back)
    check_fingerprint(FINGERPRINT, named)
    assert (back.behaves_like, back.on_surrogate) == ("gemini-embedding-2", "error")
    assert getattr(back, "google_api_key", None) or back.api_key
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what is pickled today is told no more
        assert pickle.loads(pickle.dumps(back)).fingerprint == back.fingerprint  # noqa: S301 - our own


def test_a_pickled_retry_is_read() -> None:
    """A program that keeps what `on_retry` was called with reads it after an upgrade, too."""
    back = unpickled(RETRY)

    assert isinstance(back, Retry)
    assert (back.attempt, back.wait, back.quota, back.indexes) == (2, 2.0, False, (3, 4))
    assert isinstance(back.error, ServiceUnavailableError)
    assert (str(back.error), back.error.status) == ("503 UNAVAILABLE: try later", 503)


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize(
    "load",
    [
        lambda: langchain_loads(LANGCHAIN_DUMP),
        lambda: GeminiEmbedding.from_dict(LLAMAINDEX_DUMP),
        lambda: GeminiEmbedding(**LLAMAINDEX_DUMP),
        lambda: GeminiEmbedding.model_validate(LLAMAINDEX_DUMP),
    ],
)
def test_a_dump_with_a_gateways_own_model_is_read_as_before(load: Callable[[], Any]) -> None:
    """By each framework's own way to load one."""
    with pytest.warns(UserWarning, match="saved without behaves_like"):
        back = load()

    check_fingerprint(FINGERPRINT, back)
    assert back.output_dimensionality == 256


@pytest.mark.parametrize(
    ("then", "options"),
    [
        ("gemini-embedding-2-at-3b82425a", {"base_url": "https://gateway.example/"}),
        (
            "gemini-embedding-2-at-cd5f4723",
            {"base_url": "https://generativelanguage.googleapis.com/"},
        ),
        (
            "google_gemini-embedding-2-at-3b82425a",
            {"base_url": "https://gateway.example/", "model": "google/gemini-embedding-2"},
        ),
    ],
)
def test_a_fingerprint_of_the_same_settings_is_accepted(then: str, options: dict[str, Any]) -> None:
    """An index made then need not be embedded again because an address has one form now."""
    made = GeminiEmbedder(**options)
    stored = f"{then}.3072.retrieval.prefix.unit"

    assert made.fingerprint != stored
    check_fingerprint(stored, made)
    check_fingerprint(stored, GeminiEmbeddings(**options))
    named = {"model_name": options.pop("model", "gemini-embedding-2"), **options}
    check_fingerprint(stored, GeminiEmbedding(**named))


def test_what_was_embedded_otherwise_then_is_not() -> None:
    """A path before gemini-embedding-001 was taken for the newest model's name behind a gateway."""
    made = GeminiEmbedder(base_url="https://gateway.example/", model="google/gemini-embedding-001")
    stored = "google_gemini-embedding-001-at-3b82425a.3072.retrieval.prefix.unit"

    with pytest.raises(FingerprintMismatchError, match="task_prefix is 'field'"):
        check_fingerprint(stored, made)


@pytest.mark.parametrize("dimension", [None, 256])
def test_vectors_kept_then_are_found_and_kept_anew(
    server: Standin, embedder: Maker, tmp_path: Path, dimension: int | None
) -> None:
    """Nothing is paid for twice; the next time they lie under today's key, with a checksum."""
    path = tmp_path / "vectors"
    address = server.url + "/"
    texts = [f"task: search result | query: {text}" for text in ("a", "b")]
    right = vectors_of(server, texts, model="gemini-embedding-2", dimension=dimension or 3072)
    full = vectors_of(server, texts, model="gemini-embedding-2")
    keys = cache_keys(
        map(Content.of, texts), model="gemini-embedding-2", dimension=3072, service=address
    )
    kept = SQLiteCache(path)
    kept.set_many([(key, vector.tobytes()) for key, vector in zip(keys, full, strict=True)])
    kept.close()

    made = embedder(base_url=address, cache=path, output_dimensionality=dimension)
    found = made.embed(["a", "b"], role="query").vectors
    made.close()
    with sqlite3.connect(path) as file:
        file.executemany("DELETE FROM vectors WHERE key = ?", [(bytes.fromhex(k),) for k in keys])
    file.close()
    again = embedder(cache=path, output_dimensionality=dimension)

    assert found == pytest.approx(right, abs=1e-6)
    assert (again.embed(["a", "b"], role="query").vectors == found).all()
    assert server.log == []


def test_vectors_of_a_client_are_not(server: Standin, tmp_path: Path) -> None:
    """All clients had one name then, whatever service they asked."""
    from google import genai  # noqa: PLC0415 - loads for a second

    path = tmp_path / "vectors"
    content = Content.of("task: search result | query: a")
    of: dict[str, Any] = {"model": "gemini-embedding-2", "dimension": 3072}
    (key,) = cache_keys([content], service="a client of the caller's", **of)
    kept = SQLiteCache(path)
    kept.set_many([(key, vectors_of(server, ["another's"], **of)[0].tobytes())])
    kept.close()
    client = genai.Client(api_key="k", vertexai=False, http_options={"base_url": server.url})

    vectors = GeminiEmbedder(client=client, cache=path).embed(["a"], role="query").vectors

    assert (vectors == vectors_of(server, [content.text], **of)).all()
