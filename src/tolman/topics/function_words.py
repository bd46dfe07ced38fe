"""English words that say how a sentence is built, not what it is about: no name of a topic begins or ends with one.

In other languages, and for words that are missing here, `naming` sees from how evenly topics use a word that it is one;
in corpora of short and similar sentences it can't.
"""

FUNCTION_WORDS = frozenset(
    """
    a about above after again against all almost alone along already also although always am among an and another any
    anybody anyone anything anyway are aren't around as at away be became because become been before behind being below
    between both but by can can't cannot could couldn't did didn't do does doesn't doing don't done during each
    either else enough even ever every everyone everything few for from further get gets getting give given gives go
    goes going gone got had hadn't has hasn't have haven't having he he's her here hers herself him himself his how
    however i i'd i'll i'm i've if in instead into is isn't it it's its itself just keep keeps kept know last least less
    let like likely made make makes making many may maybe me might mine more most much must my myself neither never next
    no nobody none nor not nothing now of often on once one only onto or other others otherwise our ours ourselves
    own per perhaps please put quite rather really said same say says see seem seemed seems seen several shall
    she should shouldn't since so some somebody someone something sometimes soon still such take taken takes than thank
    thanks that that's the their theirs them themselves then there there's these they they're thing things think this
    those though through thus till to together too took toward towards tried try trying under until upon us use used
    uses using very via want wanted wants was wasn't way we we're we've well went were weren't what when where whether
    which while who whole whom whose why will with within without won't would wouldn't yes yet you you're you've your
    yours yourself
    """.split()
)
