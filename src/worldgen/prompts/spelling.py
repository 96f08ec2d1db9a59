"""Typing mistakes: the nearest known word, where it is close enough to be meant."""

from __future__ import annotations

from functools import lru_cache

_REAL = """
accident aesthetic airplane alike ambulance american angle angry anime april art artist audi august autumn back
backpack bag bags bake baker ball balloon balloons balls banker barely barked barks beach beam beams bear beard
bears beer beetle bell bells bendy berlin best bet better big bikes bird birds bison black blue bmw board boat boats
bog bone boost boot boots border boss bossy boulder box boxer brain brake brave bread break brick bricks bridge
bridges bright british broad broke brought brown bun burn burning bush bust busy call calls calm camel camels camp
can card cards care carefully careless cares cargos carnival carpet carrot cars cart cartoon carts castle cat cats
cave caves cell charade chase cheap check cheese chess chest chicken china church clamp class classic clean clear
click cloud clown coast coat code collide collides collision concert cone cool cord core corner corners cost cough
cover covers cow crane cranes crash crashed crashes create created crest cross crow crowd crown crows cruel cub cup
curvy cut cute damp dark darker dear december deck deep deer desert desk detail detailed details dig dirty disk dock
doctor door dot dots down dragon dragons drain drawing drip drone drones drop drown dry duck ducks duel dusk dust
eight elder elderly elephant elephants england english enough epic even ever explodes explosion face factor fan
fancy farm fast fat feel feet ferrari festival fever fight film films finger fire fires fist flame flames flee fleet
flight flood flooded floor focus foot ford fork form fox foxes france free french friday frost fuel fun gain garden
gardens gave gear geese gently german germany get ghost glass gloss glow gold golden good goose gown grain grass
great green guard guards gun gust hail hall happy hard hardly harm hat hats haul have hear heard heart hearts heavy
hedgehog height helicopter hell helmet herd herds high hike hikes hill hills hired hit hits holder honda horses host
house houses hover hovers huge hungry hut hyper ice image images india island jacket january jeep jet jogging july
kangaroo keep kids kit kite know lace lake lamp lamps land lands lane lantern large last leafy left lefty lend
lesson let level lever lift light lights like limousine line lion list load lock lofi log london looking loss lot
lover low luck lurker luxury mad mail main make maker making man marathon marked marker markers market mast
masterpiece maxi men mercedes met might mike minus minute minutes mist modern monday monkey moon moss most mouse
mover movie movies muddy must mustang mute narrow nearly neck net never nice nike noon november now october old
older orange order over ox pack pain paint painting pan parade paris park parked parking parks party party's past
pear peep person pet phone photo photograph photos picture pictures pigeon pink place plane planes planet plant
plants plate police poor post pram price purple quality quarter quick quickly rabbit rabbits race racer racing rail
rain raincoat ran read realistic reason red render rendered rendering resolution retro rice ride rider riders river
road roast rock rocks rocky rod rode root rough rout route routes rover rovers run running sad sail sandy saturday
save scar scare school scooters score sea season sell senior set seven sharply sheet sheets shop shops short shot
shots shoulder show sigh sight sign signal signals signed signs silver singer singing single skateboard skateboarder
skid skidding skids sleep sleepy sleet slide slides sliding slow slowly small smash smashes smoke smoking smoothly
snail snot snow sock soon space spaceship spice spider spoon sport sports spot spots spring squirrel squirrels star
stare stars start states station stations steep steer stem step stern stick sticks stone stony stop store storm
street stride strike striking strip stripe striped stroke stroller style styled suitcase summer sun sunday super
sweep sweet tail tails taking talk talker talking tall tank tanker tankers tanks task taxi tell tesla texas thick
thin though thought three through thursday tiger tight tiny tired tires toad token tokyo tone torn tough tower
towers town toyota track tracks tractor tractors trail trailer trailers train trains tram trams trap tree trees
trick trip trough truck trunk trunks tuesday tunnel tunnels turn tweet twisty ultra umbrella under unicorn van
vintage volkswagen volvo wagon walk walker ward water wave waves wednesday weight wet wheelchair white wide wind
winding window windows windy winter wired wolf wolves word work worker world wright yard yards yellow york young
zone
"""
REAL_WORDS = frozenset(_REAL.split())
"""English words near words of the vocabulary that must not be taken for typing mistakes."""


def within_one(word: str, other: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns ``word`` into ``other``."""
    return edit_distance(word, other, 1) <= 1


def edit_distance(word: str, other: str, limit: int) -> int:
    """Optimal string alignment distance, or ``limit + 1`` when it is larger.

    Source: Damerau (1964), restricted form as in Boytsov (2011).
    """
    if abs(len(word) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        new = [i]
        for j, target in enumerate(other, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (letter != target))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == target:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > limit:
            return limit + 1
        before, row = row, new
    return row[-1]


class Speller:
    """Corrects single words towards a closed list. Short words only by swapped neighbours, since many are real words."""

    def __init__(self, words: frozenset[str]):
        self.words = words
        self.by_letter: dict[str, list[str]] = {}
        for word in sorted(words):
            if len(word) >= 3 and word.isalpha():
                self.by_letter.setdefault(word[0], []).append(word)
        self.correct = lru_cache(maxsize=4096)(self._correct)

    def _correct(self, word: str) -> str | None:
        """The known word meant by ``word``, or None when there is none or it is a word of its own."""
        if word in self.words:
            return word
        if len(word) < 4 or len(word) > 24 or not word.isalpha() or word in REAL_WORDS:
            return None
        if len(word) == 4:
            return self._swapped(word)
        limit = 2 if len(word) >= 8 else 1
        best, best_distance = None, limit + 1
        candidates = self.by_letter.get(word[0], []) + (self.by_letter.get(word[1], []) if word[1] != word[0] else [])
        for other in candidates:
            distance = edit_distance(word, other, min(limit, best_distance))
            if other[0] != word[0] and not (distance == 1 and other[0] == word[1] and other[1] == word[0]):
                continue
            # At equal distance a letter left out is likelier than a wrong one: "drivr" is driver rather than drive.
            if distance < best_distance or (distance == best_distance <= limit and len(other) > len(best or "")):
                best, best_distance = other, distance
        return best

    def _swapped(self, word: str) -> str | None:
        for i in range(len(word) - 1):
            other = word[:i] + word[i + 1] + word[i] + word[i + 2 :]
            if other in self.words:
                return other
        return None
