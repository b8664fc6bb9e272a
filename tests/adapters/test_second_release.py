"""What release 0.2 wrote is read: pickles and dumps. Its modules stood in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from earlier import langchain_loads, unpickled

from llamaindex_gemini_embed import GeminiEmbedding

if TYPE_CHECKING:
    from collections.abc import Callable

FINGERPRINT = "team_ours-at-471193d3.256.clustering.prefix.unit"

# Each has model "team/ours", behaves_like "gemini-embedding-2", a key, a header, a base_url, a
# task_type, output_dimensionality=256, timeout=5.0 and Quota(requests=100, period=30).
PICKLES = {
    "GeminiEmbedder": (
        "c-mD{O>fgc5DjY6x=ksxv=t}l5e`X6FG#&m2~`maSfZup)p|XRm)Kr+KSF|pL=SvPd&}^1koZab1ZJJIkVHzxJ"
        "2UUizIpz<`t#RHqyG5)Ar!Kd42lHOPW_vLM!&%{7^^g-IK!;rxBGS7=}o~5Kj9PKEK~|PRa@XiS2=CaZzYiNF&"
        "LK15uo3l6SU{hvK+RL(694KvJp(tKV0G$#0RC7JSU))0Ts;f>2*zYml>e6Wn-Q@!fo<)4X|d2R?xwo&ERl>d&u"
        "?B6@-K?@zEHxg$b7!`}Inz_aH2VQLY5HQk4|9{wI#<I^2wyomK?9`SSI}`McAzS8*TxzH+v5mZg%w4fXO|+9|$"
        "i-0>Tw(gi(!q@GpotU}+aVJZ!ma)RG|q)L|Lyd2T+ptT~Ex9G??iig|+W{>@5!mY@d2{5t0SMUiFsuWZLrI_L%"
        "^6QqkX$<V2>@9W}rNGl%mZ7B;T1X}>A>1Sij~}=U<@)!$d?%!*jARdzsxmd$fAOcWoTRqf<Vn0p9?X+4sZ=>vi"
        "zVCuRWxo!p$pYT#NE7d%JN$WELOZYY`(4kXE;dX!J}_@hW>$uD@Ud?tO6azb2i*)$Ep#Dy?oddTx22Gs{?lF^8"
        "DXc@Q07WV9aSU=fM&`Et-pZ?SAEg(la8?tgVi_-QLmj&NKS<j(c7Fg4eVk19~h4u#y+Gy1`#$Co{LrE+<FZ+6F"
        "A69Z-V2>enXi@IIj5uBIs`okS;ii7dTwUVHf5>KkKc_sPM)waCyUhK!g?QkIc_!}?m6+>qO75h;*^*5+A^-B%K"
        "<^B1(zbh!"
    ),
    "GeminiEmbeddings": (
        "c-nQ8{cjsJ7{`mYw3mjxw6tBvV03Iix6ziCH!%r1gsQTISz={BTh5)E$K-Op*}g16LSjDvtz-$Ln*WDCi9dm_F"
        "KO0FkSG_QpZDka*uPx-tJ|2VKmJxOif&3m6}&6^s!&|^J2Km>pP4GUHu$UiwPf$r)=9YgGW;CYeZqOBQpb7y*6"
        "8a@=D|0e6#Xq-85qCbkt7Dv@?7;~@QdRp8&m%qJHcP>YTeBx7p3AoISPLDTrR1RnJk<VIs9E{Ltz^K61Ng!#|I"
        "*>;JzU?Y6r6x(Nk<JIg)D=ziYyDt3Eu1s^gP^G)@kM3e3-yM*k>Nhh>uMR5+yztXpRTGgKvPkGoL`xAWh8_w3+"
        "@y{C`Ze(=k>a%JVv2{^Z~6}fVw@MPvS-z>E0<Mk)lTojel!MAERrICkf7><0R3*NyHdPrUxqYYYyEn8vT6;1|P"
        "^Yb0yQsOqcVg5>A40)=H6e_YvN1>hgIfvLtBkVt1noKsyq{wnrM3YuDL7R+{v63Xdz7Q&^o4?2E3sF4cXnSm_E"
        ";1YTcmJ6=FNE1t_>fJ6D`TM?mbw^si+6;T(3m+*1qIbgh~0QzX(y&2Oh!D}Y<yq;pM-YC+Bbg>PlJEM$mf-`&h"
        "k>4m|o>#MGH>%(CqV@jZ~x*7fbbmA69w(YAWH_CowTz88EtXE<Oe=(t7Ov!ZV0Z5SW}RA8c)H?|i=b5x(0Gwzt"
        "Bs;U(r{r5UJH@<R0M?nb_VlO1ETC;+yrG2nz5Kmb<#>~JF<3(#JUGJ!s&n~^0T-8`rnK5*s~Y+3-pQkay2?O1@"
        "AD|D8F-#EV3p|GG0gUBQZnjK3c8IxXdUB>uP_mU<30<`I_k=BOe$}e($ngC|zjKJY#{@R({LnZUfV$$(k{}I;d"
        "Luyfz?$9dTpwDQIcIo<`e(8)wY19C$*4Kb<08Rtmm;d8Jk-)nN7OaCxhH~k^Up{-i$k+p%Y(z;AbKcLLUJ7)Dm"
        "Km)uy2fag(RF&0Zs3T~Tl6;FJfe4Kjc(!hE~DG+gziia0=>uReMTQlQK$7O*mQS_G2NT;O7|H`-liQ!A2a%d(W"
        "l2K`-}f4g1%(*6{B4Y?rYk!^ev-DNA#Fgzky&|bvFM68K(kv"
    ),
    "GeminiEmbedding": (
        "c-nPTZEssO6fUA^(`Kw&R|cQ9ZoI4rHKCJWqr9vzO<`oa6YDBIATZ9oPL7H1%WU5)L7K!q0G(tBq?!N2PvR%=_"
        "$IweB}k;iKF2<O&U2n~ep&wO!OBwgaaWY$DVJFyCTu8DnMo$nzDU~DZz8jycN^Wxai_Mt@b5kIPyLQ-GM32LGF"
        "I)@(>xK1Wjqz$ty#g-PF`x`-MK0l>vJ0uGxBHQdx<+2bEWz`9<h{Xd?>Vcmn$%=Leq|OE!rn%OuNqwqHf%t8}8"
        "5Vyo5qLOO(KK-+Q;ttmd&m<ifjFoGT?_EAtFkT8S9&QrUnTw_USeN@ZnmEh}k)?N|TMmwngD%9K6H^(X|5=1GM"
        "74U2h90=6@nTfvk}r3Du3`-1pb7??&tyE$WYx4yZ1JrKjqh}mg@1M9c%9UVTp^YCue_3rh&v_)ybXeu%Tv|LF$"
        "_4k)vacfzwQ*6PUTjr(Bkw+D#&|)Ab{@6A1jP(`IM&31q);ZWb1CuGS9s;DNYYQ2$IL`)h2*jIKS_Ptn<q5Z(j"
        "l>kzRbI$y>E1jgidc(8WL9zox?b(!K+XSa%m}zG8*^0xW`plm0agq&5W}!#No>#KZgV{>k);hhH^)L-G2t>iT<"
        "H8K)C$X{%3~gihIMQ4;mB>Id=gTKk)6omsqZ!2ss(Le(032E=Gty1f+tF5p;E1I1@N>KAwn~3pKuwD>%V8m&j<"
        "IEA>EKlo+ZY2Z~e1$+KFqm^B|f#FV37|QsmhTC9CAxJy<${f?8CE@OI;InOk0~V@~bd*!ZUUe}N8(dY68O65Rz"
        "Y9+$#c!wR7TywZk@&f9zhot!o{PL#P-E!dz`>ZPFkbI2XQSgDnF7f-zpf_c>=DC`m3XpIYGZL#0!>|MXn{s7;-"
        "{k;yF;~Au7gdR&YSk>!bH`EnnG_!JTa;VH!3TA{Fga&#FDNJ_5Q1I?-F-<slirb+LAf>g#N;`+PZfM$ras<~gd"
        "DAx#fRbRAK{ug%tpPV^6ci#65dX@|>!Z?bGIkOi^}rOsY>M0)3)X=YDlw>H7+Zh%9eSU>q)W6<t8|s_(M>v{?L"
        "Xbt!i_@9ap?0f<y?b>!Gv!8k7*fZ*c$3=ERG~dg@*3z;_$2nR_K;SH7Y$d@$zLL=+K7|eH77+h;Bx-O;_kD`kv"
        "mRx9Oc@dY7)z4jOp<)C8rEdrjJ}<xZbO^l3z&)q<waYx&ZxTC8+XtCGHmkb0NCis)`cUq{q?4gwzhf8FUYqDK)"
        "Op*-KxcZPn5h#k|9QTZEmYRZ25U$G}-t^"
    ),
}

LANGCHAIN_DUMP: dict[str, Any] = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_gemini_embed", "embeddings", "GeminiEmbeddings"],
    "kwargs": {
        "model": "team/ours",
        "behaves_like": "gemini-embedding-2",
        "google_api_key": {"lc": 1, "type": "secret", "id": ["GOOGLE_API_KEY"]},
        "task_type": "CLUSTERING",
        "output_dimensionality": 256,
        "normalize": "auto",
        "task_prefix": True,
        "on_blank": "error",
        "on_surrogate": "error",
        "max_concurrency": 8,
        "timeout": 5.0,
        "max_wait": 300.0,
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
    "behaves_like": "gemini-embedding-2",
    "task_type": "CLUSTERING",
    "output_dimensionality": 256,
    "normalize": "auto",
    "task_prefix": True,
    "on_blank": "error",
    "on_surrogate": "error",
    "embedding_config": None,
    "title_metadata_key": None,
    "vertexai": None,
    "project": None,
    "location": None,
    "base_url": "http://127.0.0.1:1/",
    "service_name": None,
    "api_version": None,
    "class_name": "GeminiEmbedEmbedding",
}


@pytest.mark.parametrize("name", sorted(PICKLES))
def test_a_pickle_is_read_as_it_was_written(name: str) -> None:
    """Every option and secret arrives, whatever module their classes have moved to."""
    back = unpickled(PICKLES[name])

    key = getattr(back, "google_api_key", None) or back.api_key
    assert back.fingerprint == FINGERPRINT
    assert (back.timeout, back.output_dimensionality) == (5.0, 256)
    assert (back.quota.requests, back.quota.period) == (100, 30)
    assert key.get_secret_value() == "a-key"
    assert back.additional_headers["x-team"].get_secret_value() == "search"


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
@pytest.mark.parametrize(
    "load", [lambda: langchain_loads(LANGCHAIN_DUMP), lambda: GeminiEmbedding(**LLAMAINDEX_DUMP)]
)
def test_a_dump_is_read_as_it_was_written(load: Callable[[], Any]) -> None:
    """By each framework's own way to load one."""
    assert load().fingerprint == FINGERPRINT


def test_llamaindexs_dump_is_the_same_text() -> None:
    """An ingestion pipeline's cache goes by it: an upgrade embeds nothing again."""
    made = GeminiEmbedding.from_dict(LLAMAINDEX_DUMP)

    assert str(made.to_dict()) == str(LLAMAINDEX_DUMP)
