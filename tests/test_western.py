"""Windows-1252 or not, shown on complaints in many languages."""

import pytest

from tolman.corpus.readers.western import WesternText

WESTERN = {
    "German": (
        "Die Lieferung kam zu spät, und die Größe stimmte nicht.\n"
        "Ich hätte gern mein Geld zurück, weil das Gerät nach drei Tagen kaputt war.\n"
        "Für die Rückgabe brauche ich ein Etikett.\n"
        "Schöne Grüße aus München\n"
    ),
    "French": (
        "Le colis n'est jamais arrivé et personne ne répond.\n"
        "J'ai été débité deux fois pour la même commande, où est passé mon argent ?\n"
        "Ça ne fonctionne plus depuis la mise à jour, même après un redémarrage.\n"
        "Le garçon a reçu un château de sable très abîmé.\n"
        "«Être déçu» – c'est peu dire, hélas; bientôt Noël.\n"
    ),
    "Spanish": (
        "El paquete llegó roto y nadie contesta al teléfono.\n"
        "¿Dónde está mi dinero? ¡Quiero una devolución!\n"
        "Compré unos zapatos pequeños para el niño y no sirven.\n"
        "Según el señor Núñez, así será también mañana.\n"
    ),
    "Portuguese": (
        "A encomenda não chegou e ninguém responde às mensagens.\n"
        "Não consigo iniciar sessão depois da atualização.\n"
        "As condições de devolução não são claras; três funcionários disseram coisas diferentes.\n"
        "Pôs o avô em questão: limões, corações e pães.\n"
    ),
    "Italian": (
        "Il pacco è arrivato rotto e più nessuno risponde.\n"
        "Perché la città è così lontana? Sarà però già tardi.\n"
        "Non è possibile accedere: la password non va più.\n"
    ),
    "Dutch": (
        "Het pakket is niet geleverd, één stuk ontbreekt.\n"
        "De geïnteresseerde klant wil zijn geld terug; de coördinatie was slecht, zoë.\n"
    ),
    "Swedish": (
        "Paketet kom aldrig fram och ingen svarar på mina frågor.\n"
        "Jag vill ha pengarna tillbaka för den trasiga lampan från Malmö.\n"
        "Får jag återbetalning?\n"
    ),
    "Danish": (
        "Pakken er ikke kommet, og jeg får ikke svar på mine spørgsmål.\n"
        "Lampen var ødelagt, da den ankom på lørdag.\n"
        "Hvornår får jeg pengene? Ærgerligt.\n"
    ),
    "Norwegian": (
        "Pakken har ikke kommet, og ingen svarer på spørsmålene mine.\n"
        "Jeg ønsker å få pengene tilbake.\n"
        "Når får jeg svar?\n"
    ),
    "Finnish": (
        "Paketti ei saapunut ajoissa eikä kukaan vastaa kysymyksiini.\n"
        "Haluaisin rahani takaisin, koska lamppu on särkynyt.\n"
        "Älä lähetä enää mitään, työ on kesken. Hääyöaie äänestää\n"
    ),
    "Icelandic": (
        "Pakkinn kom aldrei og enginn svarar spurningum mínum.\n"
        "Ég vil fá peningana mína til baka því lampinn var brotinn.\n"
        "Það er ekki hægt að skrá sig inn eftir uppfærsluna.\n"
        "Hvenær fæ ég svar við þessu erindi?\n"
    ),
    "Catalan": (
        "El paquet no ha arribat i ningú respon.\n"
        "Això no funciona des de l'actualització; què puc fer? Il·lusió, també això és així.\n"
    ),
    "Estonian": (
        "Pakk ei jõudnud kohale ja keegi ei vasta minu küsimustele.\n"
        "Soovin raha tagasi, sest lamp oli katki, õnneks sõber aitas.\n"
        "Töö on pooleli, ära saada rohkem midagi.\n"
    ),
    "Irish": (
        "Níor tháinig an beart agus níl aon duine ag freagairt.\n"
        "Ba mhaith liom mo chuid airgid ar ais, más é do thoil é.\n"
    ),
    "Albanian": (
        "Pakoja nuk ka ardhur dhe askush nuk përgjigjet.\n"
        "Dua paratë e mia mbrapsht, sepse llamba është thyer. Çfarë të bëj?\n"
    ),
    "English": (
        "The café in Curaçao was a façade.\n"
        "Señor Juárez paid £20 for the rôle at 25°C – naïve, isn’t it…\n"
        "Beyoncé and Björk met Dvošák\n"
    ),
}
OTHERS = {
    "cp1254-tr": (
        "Kargom hâlâ gelmedi, kimse cevap vermiyor.\n"
        "Sipariş verdiğim lamba kırık çıktı, paramı geri istiyorum.\n"
        "Güncellemeden sonra oturum açamıyorum, şifremi değiştirdim.\n"
        "İade için ne yapmalıyım? Teşekkürler, iyi çalışmalar.\n"
    ),
    "cp1250-pl": (
        "Paczka nie dotarła i nikt nie odpowiada na moje pytania.\n"
        "Chciałbym otrzymać zwrot pieniędzy, ponieważ lampa była zepsuta.\n"
        "Po aktualizacji nie mogę się zalogować, proszę o pomoc.\n"
        "Kiedy dostanę odpowiedź? Dziękuję, życzę miłego dnia.\n"
    ),
    "cp1250-cs": (
        "Balík nedorazil a nikdo neodpovídá na mé otázky.\n"
        "Chtěl bych vrátit peníze, protože lampa byla rozbitá.\n"
        "Po aktualizaci se nemohu přihlásit, prosím o pomoc.\n"
        "Kdy dostanu odpověď? Děkuji, přeji hezký den.\n"
    ),
    "cp1250-sk": (
        "Balík neprišiel a nikto neodpovedá na moje otázky.\n"
        "Chcel by som vrátiť peniaze, pretože lampa bola rozbitá.\n"
        "Po aktualizácii sa nemôžem prihlásiť, prosím o pomoc.\n"
    ),
    "cp1250-hu": (
        "A csomag nem érkezett meg, és senki sem válaszol a kérdéseimre.\n"
        "Szeretném visszakapni a pénzemet, mert a lámpa törött volt.\n"
        "A frissítés után nem tudok belépni, kérem, segítsenek.\n"
        "Köszönöm, a felhasználó jelszavát előbb törölték, gyűjtő.\n"
    ),
    "cp1250-ro": (
        "Pachetul nu a ajuns şi nimeni nu răspunde la întrebările mele.\n"
        "Aş dori banii înapoi, pentru că lampa era spartă.\n"
        "După actualizare nu mă pot conecta, vă rog să mă ajutaţi.\n"
    ),
    "cp1250-hr": (
        "Paket nije stigao i nitko ne odgovara na moja pitanja.\n"
        "Želim povrat novca jer je svjetiljka došla razbijena, već tri dana čekam.\n"
        "Nakon ažuriranja ne mogu se prijaviti, molim pomoć. Gdje će doći? Što ću sad, rođak?\n"
    ),
    "cp1257-lt": (
        "Siuntinys neatvyko ir niekas neatsako į mano klausimus.\n"
        "Norėčiau susigrąžinti pinigus, nes lempa buvo sudužusi.\n"
        "Po atnaujinimo negaliu prisijungti, prašau padėti, ačiū už pagalbą.\n"
    ),
    "cp1257-lv": (
        "Sūtījums nav pienācis, un neviens neatbild uz maniem jautājumiem.\n"
        "Vēlos saņemt naudu atpakaļ, jo lampa bija saplīsusi.\n"
        "Pēc atjaunināšanas nevaru pieteikties, lūdzu palīdziet.\n"
    ),
    "cp1251-ru": ("Посылка не пришла, и никто не отвечает на мои вопросы.\nХочу вернуть деньги, лампа разбита.\n"),
    "koi8-r-ru": ("Посылка не пришла, и никто не отвечает на мои вопросы.\nХочу вернуть деньги, лампа разбита.\n"),
    "cp1251-bg": ("Пратката не пристигна и никой не отговаря на въпросите ми.\n"),
    "iso8859-7-el": ("Το δέμα δεν έφτασε και κανείς δεν απαντά στις ερωτήσεις μου.\n"),
    "cp1255-he": ("החבילה לא הגיעה ואף אחד לא עונה לשאלות שלי\n"),
    "cp1256-ar": ("لم تصل الطرود ولا أحد يجيب على أسئلتي\n"),
    "cp874-th": ("พัสดุยังไม่มาถึงและไม่มีใครตอบคำถามของฉัน\n"),
    "gbk-zh": ("包裹没有到,没有人回答我的问题。\n我想退款,因为灯坏了。\n"),
    "euc-kr-ko": ("소포가 도착하지 않았고 아무도 대답하지 않습니다.\n램프가 깨져서 환불받고 싶습니다.\n"),
    "euc-jp-ja": ("荷物が届きません。誰も返事をしてくれません。\n"),
    "big5-zh": ("包裹沒有到,沒有人回答我的問題。\n"),
}


def judged(lines: list[bytes]) -> str:
    text = WesternText()
    for line in lines:
        text.add(line)
    return text.contradiction()


@pytest.mark.parametrize("language", WESTERN)
def test_western_languages(language: str) -> None:
    lines = [line.encode("cp1252") for line in WESTERN[language].splitlines()]
    assert judged(lines) == ""
    assert [judged([line]) for line in lines] == [""] * len(lines)
    assert judged([line.upper().encode("cp1252") for line in WESTERN[language].splitlines()]) == ""


def test_many_western_languages_in_one_file() -> None:
    assert judged([line.encode("cp1252") for text in WESTERN.values() for line in text.splitlines()]) == ""


@pytest.mark.parametrize("name", OTHERS)
def test_other_encodings(name: str) -> None:
    encoding = name.rpartition("-")[0]
    reason = judged([line.encode(encoding) for line in OTHERS[name].splitlines()])
    assert reason == (
        f"it looks like {encoding}" if encoding in ("cp1250", "cp1254", "cp1257") else "it has words of another script"
    )
