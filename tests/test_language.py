import pytest

from tolman.space.language import guess_language

TEXTS = {
    "English": "The refund that was promised is not here, and the parcel was sent from the wrong shop to this house.",
    "German": "Die Erstattung ist nicht angekommen, und das Paket mit der Lampe ist auf dem Weg, auch ohne Nummer.",
    "French": "Le remboursement des achats est dans une lettre qui ne vient pas, et les colis sont plus grands.",
    "Spanish": "El reembolso que fue prometido para los clientes no llega, pero una de las cajas está con más.",
    "Swedish": "Det är inte så att paketet har kommit till oss, och det som blev sagt på telefon var också fel.",
    "Russian": "Он не пришёл на встречу и не позвонил, но это было как раз то, что мы ждали из офиса для него.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_running_text_is_recognised(language: str) -> None:
    assert guess_language([TEXTS[language]] * 3) == language


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["def run(self, path): return self._cache[path]", "os.path.join(a, b)"],
        ["返金がまだ届いていません。荷物は壊れていました。"],
        ["لم يصل المبلغ المسترد حتى الآن"],
        [TEXTS["English"], TEXTS["German"]],
    ],
)
def test_what_is_not_plain_is_not_guessed(texts: list[str]) -> None:
    assert guess_language(texts) is None
