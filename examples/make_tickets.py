"""Write tickets.csv: invented support tickets of an invented shop, a small corpus for examples and tests.

python examples/make_tickets.py
"""

import csv
import random
from pathlib import Path

# topic: subjects, then sentences of which each ticket takes some
TOPICS: dict[str, tuple[list[str], list[str]]] = {
    "refund": (
        ["Where is my refund", "Refund not received", "Money not back yet", "Refund promised in {month}"],
        [
            "I returned the {item} in {month} and your colleague confirmed that the money would be sent back.",
            "Nothing has arrived on my bank account so far.",
            "The refund was supposed to take five working days.",
            "Please tell me when I can expect the {amount} euros.",
            "My bank says there is no incoming payment from you.",
        ],
    ),
    "delivery": (
        ["Parcel is late", "{item} still not delivered", "Tracking has not moved", "Delivery went to the wrong door"],
        [
            "The tracking page has said 'in transit' since {month}.",
            "I waited at home all day and no courier came.",
            "The driver left the {item} with a neighbour I don't know.",
            "I need the parcel before the weekend, it is a present.",
            "Could you ask the carrier where the shipment is?",
        ],
    ),
    "damaged": (
        ["{item} arrived broken", "Cracked on arrival", "Box was crushed", "Scratches all over the {item}"],
        [
            "When I opened the box the {item} had a crack along the side.",
            "The packaging was torn and wet.",
            "I have attached photos of the damage.",
            "I would like a replacement rather than a discount.",
            "One corner is dented and it doesn't close any more.",
        ],
    ),
    "login": (
        ["Can't sign in", "Password reset mail never comes", "Account locked", "Two-factor code is rejected"],
        [
            "After three attempts the page says that my account is locked.",
            "I asked for a new password but no mail arrives, not even in spam.",
            "The code from my authenticator app is refused every time.",
            "I changed my phone in {month} and lost the second factor.",
            "I can't see my orders without logging in.",
        ],
    ),
    "invoice": (
        ["Invoice is missing", "Wrong address on the bill", "VAT number on the invoice", "Need a receipt for {item}"],
        [
            "Our accounting needs an invoice with the company's tax number.",
            "The bill of {month} shows my old address.",
            "I can't find the PDF receipt under my orders.",
            "Please issue a corrected invoice over {amount} euros.",
            "The amount on the receipt differs from what was charged.",
        ],
    ),
    "double charge": (
        ["Charged twice", "Two payments for one order", "Card was debited again", "Unknown payment of {amount} euros"],
        [
            "My credit card statement shows {amount} euros two times.",
            "I pressed the pay button once, the page froze, and then I was debited again.",
            "There is only one order in my account.",
            "Please cancel the second payment.",
            "I have sent a screenshot of the statement.",
        ],
    ),
    "cancel": (
        ["Cancel my order", "Stop the subscription", "I ordered by mistake", "End my membership in {month}"],
        [
            "Please cancel before it is shipped.",
            "I no longer want to receive the {item} every month.",
            "There is no button for ending the subscription.",
            "I chose the wrong colour and would rather order again.",
            "Confirm in writing that the contract ends in {month}.",
        ],
    ),
    "warranty": (
        ["{item} stopped working", "Warranty question", "Broken after two months", "Repair or exchange"],
        [
            "The {item} worked until {month}, now it doesn't turn on.",
            "It makes a grinding noise and gets hot.",
            "Is this covered by the guarantee?",
            "I cleaned it as the manual says, without success.",
            "I can send it in for repair if you give me a label.",
        ],
    ),
    "size": (
        ["Wrong size sent", "{item} does not fit", "Exchange for a larger one", "Size chart is misleading"],
        [
            "I ordered medium and got small.",
            "By your chart it should fit, but the sleeves are far too short.",
            "I'd like to swap it for the next size up.",
            "Do I have to pay for sending it back?",
            "The label says one size and the box another.",
        ],
    ),
    "voucher": (
        ["Voucher is not accepted", "Discount code expired", "Gift card balance", "Coupon missing from the order"],
        [
            "The code from your newsletter is called invalid at the checkout.",
            "It should be valid until the end of {month}.",
            "My gift card still has {amount} euros on it.",
            "I forgot to enter the coupon, can you apply it afterwards?",
            "The discount was shown in the basket and vanished on the last page.",
        ],
    ),
}
ITEMS = ["kettle", "lamp", "jacket", "backpack", "coffee grinder", "headphones", "bicycle pump", "rain coat", "toaster"]
MONTHS = ["January", "March", "April", "June", "July", "September", "October", "December"]


def make_tickets(count: int = 300, seed: int = 0) -> list[dict[str, str | int]]:
    chance = random.Random(seed)
    tickets: list[dict[str, str | int]] = []
    for number in range(1, count + 1):
        topic = chance.choice(list(TOPICS))
        subjects, sentences = TOPICS[topic]
        slots = {"item": chance.choice(ITEMS), "month": chance.choice(MONTHS), "amount": chance.randint(9, 240)}
        body = " ".join(chance.sample(sentences, chance.randint(2, 4))).format(**slots)
        subject = chance.choice(subjects).format(**slots)
        tickets.append(
            {
                "id": f"tk-{number}",
                "year": chance.randint(2018, 2025),
                "topic": topic,
                "subject": subject[0].upper() + subject[1:],
                "body": body,
            }
        )
    return tickets


if __name__ == "__main__":
    tickets = make_tickets()
    with Path(__file__).with_name("tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(tickets[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(tickets)
