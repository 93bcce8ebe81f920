import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.identity import Identity, is_cnpj, normalized_document, normalized_email

CPF, OTHER_CPF = "52998224725", "11144477735"
CNPJ, OTHER_CNPJ = "11222333000181", "19131243000197"
ALPHANUMERIC_CNPJ = "12ABC34501DE35"

SMALL = st.sampled_from(["", "a", "b"])
identities = st.builds(Identity, SMALL, SMALL, SMALL, SMALL)


@pytest.mark.parametrize(
    ("given_email", "email"),
    [
        pytest.param(" Ana@Example.COM ", "ana@example.com", id="spaces and capitals"),
        pytest.param("ana+loja@example.com", "ana+loja@example.com", id="kept as it is"),
        pytest.param("a***@example.com", "", id="masked"),
        pytest.param("ana", "", id="no address"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="null"),
        pytest.param(7, "", id="a number"),
        pytest.param(["ana@example.com"], "", id="a list"),
        pytest.param("ana@example.com\x00", "", id="NUL"),
        pytest.param("ana\ud800@example.com", "ana@example.com", id="half a surrogate pair"),
        pytest.param("x" * 243 + "@example.com", "", id="too long"),
        pytest.param("İ" * 240 + "@example.com", "", id="too long in lower case"),
    ],
)
def test_normalizes_an_email(given_email: object, email: str) -> None:
    assert normalized_email(given_email) == email


@pytest.mark.parametrize(
    ("document", "normalized"),
    [
        pytest.param("529.982.247-25", CPF, id="punctuation"),
        pytest.param(" 52998224725 ", CPF, id="spaces"),
        pytest.param(52998224725, CPF, id="a number"),
        pytest.param("ab-123.x", "AB123X", id="letters"),
        pytest.param("***.982.247-**", "", id="masked"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="null"),
        pytest.param(True, "", id="a truth"),
        pytest.param(5.5, "", id="a float"),
        pytest.param("9" * 255, "", id="too long"),
        pytest.param(10**300, "", id="a number too long"),
        pytest.param("ß" * 200, "", id="too long in upper case"),
    ],
)
def test_normalizes_a_document(document: object, normalized: str) -> None:
    assert normalized_document(document) == normalized


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(CNPJ, True, id="digits"),
        pytest.param(ALPHANUMERIC_CNPJ, True, id="letters and digits"),
        pytest.param("11222333000182", False, id="wrong check digits"),
        pytest.param("12ABC34501DE36", False, id="letters and wrong check digits"),
        pytest.param(CPF, False, id="a CPF"),
        pytest.param("", False, id="empty"),
        pytest.param("12ABC34501DEXX", False, id="letters for check digits"),
    ],
)
def test_recognizes_a_company_document(document: str, *, expected: bool) -> None:
    assert is_cnpj(document) is expected


@pytest.mark.parametrize(
    ("document", "corporate_document"),
    [
        pytest.param(CPF, CNPJ, id="each in its field"),
        pytest.param(CNPJ, CPF, id="each in the other's field"),
        pytest.param("529.982.247-25", "11.222.333/0001-81", id="punctuation"),
        pytest.param("11.222.333/0001-81", "529.982.247-25", id="both"),
    ],
)
def test_sorts_documents_by_what_they_are(document: str, corporate_document: str) -> None:
    identity = Identity.of(document=document, corporate_document=corporate_document)

    assert identity == Identity(document=CPF, corporate_document=CNPJ)


def test_keeps_what_is_known_to_be_of_one_kind_only() -> None:
    assert Identity.of(document=CNPJ) == Identity(corporate_document=CNPJ)
    assert Identity.of(corporate_document=CPF) == Identity(document=CPF)
    assert Identity.of(document="AB123") == Identity(document="AB123")


@pytest.mark.parametrize(
    ("value", "profile_id"),
    [(" P1 ", "P1"), (None, ""), (7, ""), ("x" * 255, ""), ("p\x001", ""), ("\ud800P1", "P1")],
)
def test_keeps_a_profile_id_to_the_letter(value: object, profile_id: str) -> None:
    assert Identity.of(profile_id=value).profile_id == profile_id


def test_is_false_when_nothing_is_known() -> None:
    assert not Identity.of(email="masked***", document="***", profile_id=None)
    assert all(
        Identity(**{field: "x"})
        for field in ("profile_id", "email", "document", "corporate_document")
    )


@given(
    st.one_of(st.none(), st.text(max_size=300), st.integers(-(10**20), 10**20), st.booleans()),
    st.one_of(st.none(), st.text(max_size=300), st.integers(-(10**20), 10**20)),
    st.text(max_size=300),
)
def test_normalizes_once_and_for_all(document: object, corporate: object, text: str) -> None:
    once = Identity.of(
        profile_id=text,
        email=f"{text}@{text}",
        document=document,
        corporate_document=corporate,
    )

    again = Identity.of(
        profile_id=once.profile_id,
        email=once.email,
        document=once.document,
        corporate_document=once.corporate_document,
    )

    assert again == once
    assert all(
        len(value) <= 254
        for value in (once.profile_id, once.email, once.document, once.corporate_document)
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param(Identity(profile_id="P"), Identity(profile_id="P"), True, id="profile"),
        pytest.param(Identity(document=CPF), Identity(document=CPF), True, id="document"),
        pytest.param(
            Identity(corporate_document=CNPJ),
            Identity(corporate_document=CNPJ),
            True,
            id="company document",
        ),
        pytest.param(Identity(email="a@b"), Identity(email="a@b"), True, id="e-mail"),
        pytest.param(
            Identity(email="a@b", document=CPF), Identity(email="a@b"), True, id="e-mail, one known"
        ),
        pytest.param(
            Identity(email="a@b", document=CPF),
            Identity(email="a@b", document=OTHER_CPF),
            False,
            id="e-mail, documents contradict",
        ),
        pytest.param(
            Identity(email="a@b", corporate_document=CNPJ),
            Identity(email="a@b", corporate_document=OTHER_CNPJ),
            False,
            id="e-mail, company documents contradict",
        ),
        pytest.param(
            Identity(email="a@b", document=CPF),
            Identity(email="a@b", corporate_document=CNPJ),
            True,
            id="e-mail, documents of different kinds",
        ),
        pytest.param(
            Identity(email="a@b", document=CPF),
            Identity(email="c@d", document=CPF),
            True,
            id="document, another e-mail",
        ),
        pytest.param(
            Identity(profile_id="P", email="a@b", document=CPF),
            Identity(profile_id="P", email="c@d", document=OTHER_CPF),
            True,
            id="profile, all else differs",
        ),
        pytest.param(
            Identity(document=CPF, corporate_document=CNPJ),
            Identity(document=OTHER_CPF, corporate_document=CNPJ),
            True,
            id="two people of one company",
        ),
        pytest.param(Identity(profile_id="P"), Identity(email="a@b"), False, id="nothing common"),
        pytest.param(Identity(), Identity(), False, id="nothing known"),
    ],
)
def test_matches_by(mine: Identity, theirs: Identity, *, expected: bool) -> None:
    assert mine.matches(theirs) is expected
    assert theirs.matches(mine) is expected


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param(Identity(email="a@b"), Identity(email="c@d"), True, id="e-mails differ"),
        pytest.param(Identity(email="a@b"), Identity(email="a@b"), False, id="the same"),
        pytest.param(Identity(email="a@b"), Identity(document=CPF), False, id="nothing to compare"),
        pytest.param(Identity(), Identity(email="a@b"), False, id="nobody"),
        pytest.param(
            Identity(email="a@b", document=CPF),
            Identity(email="c@d", document=CPF),
            False,
            id="one of two is the same",
        ),
    ],
)
def test_differs_when(mine: Identity, theirs: Identity, *, expected: bool) -> None:
    assert mine.differs_from(theirs) is expected


@given(identities, identities)
def test_never_matches_and_differs_at_once(mine: Identity, theirs: Identity) -> None:
    assert not (mine.matches(theirs) and mine.differs_from(theirs))
    assert mine.matches(theirs) == theirs.matches(mine)
    assert mine.differs_from(theirs) == theirs.differs_from(mine)
    assert mine.matches(mine) == bool(mine)
