"""The words of the prompt language: which phrase means what. Data only; `units.py` reads text with it."""

from __future__ import annotations

WEATHER_WORDS: dict[str, str] = {
    "clear": "clear weather|skies are blue|sky is blue|clear sky|clear skies|blue sky|blue skies|cloudless|cloudless sky|sunny|sunshine|bright sunshine|"
    "bright sun|sun|fair weather|fine weather|good weather|clear",
    "clear?": "dry|dry weather|dry road|dry roads|dry asphalt|bright|good visibility|mild",
    "overcast": "overcast|cloudy|clouds|cloud cover|overcast sky|overcast skies|cloudy sky|cloudy skies|grey sky|grey skies|gray sky|gray skies|"
    "heavy clouds|dull weather|no sun|without sun|overcast weather|cloudy weather|partly cloudy",
    "overcast?": "grey|gray|gloomy|dull",
    "light_rain": "light rain|drizzle|drizzling|drizzly|light drizzle|slight rain|gentle rain|shower|showers|scattered showers|"
    "light shower|light showers|spitting|light rainfall|fine rain|raining lightly|rains lightly|rain lightly|slight drizzle|"
    "lightly raining|soft rain",
    "light_rain?": "wet|wet road|wet roads|wet asphalt|damp|damp road|puddles|after rain|rain soaked|slick",
    "heavy_rain": "heavy rain|heavy rainfall|pouring|pouring rain|downpour|torrential rain|torrential downpour|rainstorm|rain storm|"
    "thunderstorm|thunder storm|cloudburst|storm|stormy|heavy downpour|raining heavily|rains heavily|raining hard|"
    "rain heavily|rains hard|driving rain|lashing rain|pouring down|pours|bucketing down|strong rain|hard rain|monsoon|raining cats and dogs|heavy shower|heavy showers",
    "rain": "rain|rainy|raining|rains|rainfall|rainy weather|wet weather",
    "fog": "fog|foggy|mist|misty|haze|hazy|dense fog|thick fog|heavy fog|light fog|thick mist|light mist|smog|poor visibility|visibility is low|visibility is poor|"
    "low visibility|fog bank|fog banks|ground fog|foggy weather|patchy fog|bad visibility|visibility poor|visibility low",
    "snow": "snow|snowy|snowing|snows|snowfall|blizzard|snowstorm|snow storm|heavy snow|light snow|light snowfall|heavy snowfall|"
    "falling snow|snow falling|snow falls|snow covered|snow on ground|snowflakes|flurries|snow flurries|wintry|snowy weather|snowed",
    "snow?": "icy|icy road|icy roads|slippery|ice|black ice|slush",
}  # fmt: skip
"""Weather -> phrases. ``?`` marks a hint that gives way to a plain statement; ``rain`` is rain of unsaid strength."""

LIGHT_WORDS: dict[str, str] = {
    "dawn": "dawn|daybreak|sunrise|first light|early morning|crack of dawn|before sunrise|break of day|early in morning|daybreak light",
    "day": "day|daytime|daylight|broad daylight|by day|midday|noon|day light|full daylight|day time|lunchtime|high noon",
    "day?": "sunny|sunshine|bright sunshine|bright sun|morning|afternoon|late morning|early afternoon|today",
    "low_sun": "low sun|sun low|golden hour|setting sun|rising sun|sun glare|low hanging sun|into sunset|into sunrise|into sun|"
    "low standing sun|late afternoon|glare of sun|blinding sun|blinding low sun|low winter sun|sun in eyes|sun low over horizon|"
    "sun near horizon|low sun glare",
    "low_sun?": "glare|blinding|backlit|backlight",
    "dusk": "dusk|twilight|nightfall|sunset|sundown|after sunset|after sundown|gloaming|blue hour|half light|fading light|dusky",
    "dusk?": "evening|early evening|this evening",
    "night": "night|nighttime|night time|midnight|after dark|by night|nocturnal|late at night|in dark|in darkness|tonight|dark night|nights|late night",
    "night?": "dark|darkness",
    "night_lit": "lit night|night lit|well lit|street lit|lit by street lamps|lit by street lights|lit by streetlights|"
    "under street lamps|under street lights|under streetlights|under streetlamps|street lamps on|street lights on|streetlights on|"
    "streetlamps on|lamplit|lit by lamps|lit street|lit streets|lit road|neon|neon lights|city lights|illuminated|"
    "street lighting|street lamps|street lights|streetlights|streetlamps|streetlight|streetlamp|street lamp|street light|"
    "glow of street lamps|glow of streetlights|lit by streetlamps|lit",
    "night_unlit": "unlit night|night unlit|unlit|pitch black|pitch dark|moonless|no street lights|no street lamps|no streetlights|"
    "no streetlamps|no street lighting|without street lights|without street lamps|without streetlights|without street lighting|"
    "without streetlamps|only headlights|headlights only|lit only by headlights|moonlit|unlit road|unlit street|pitch black night|"
    "no street light|no lamps|no lighting|without lamps|moonlight|lit only by our headlights|beyond headlights",
}  # fmt: skip

ROAD_WORDS: dict[str, str] = {
    "highway": "highway|motorway|freeway|autobahn|interstate|expressway|dual carriageway|turnpike|toll road|highways|motorways|freeways|"
    "autostrada|carriageway|rural highway|divided highway|multi lane highway|city motorway|urban motorway|urban highway|urban freeway",
    "urban": "urban|city|downtown|town|city centre|city center|town centre|town center|inner city|avenue|boulevard|urban street|"
    "city street|city streets|high street|metropolis|urban area|city road|urban road|main street|cities|built up area|shopping street",
    "suburban": "suburban|suburb|suburbs|suburbia|residential|residential area|residential street|residential road|neighbourhood|"
    "neighborhood|housing estate|cul de sac|suburban street|suburban road|suburban area|residential streets|residential neighbourhood|"
    "residential neighborhood|suburban streets|quiet suburb|housing area",
    "rural": "rural|country road|country lane|countryside|country|rural road|back road|farm road|farmland|dirt road|mountain road|"
    "forest road|village|b road|backroad|country roads|country lanes|rural area|mountain pass|village road|village street|rural lane|"
    "open country|narrow lane|a road through fields|woods|forest|mountains|fields|farm track|two lane country road|two lane rural road",
    "intersection": "intersection|junction|crossroads|crossroad|t junction|traffic junction|street corner|roundabout|intersections|"
    "junctions|four way stop|at traffic lights|at traffic light|at lights|at red light|signalised junction|signalized intersection|"
    "at signal|at signals|red light|red lights|green light|approaching red light|approaching lights|approaching traffic lights|approaching junction|approaching intersection|approaching crossroads|approaching traffic light|road junction|cross roads|traffic light intersection|to traffic lights|to traffic light|to lights|"
    "to red light|for red light|for traffic lights|for traffic light|urban intersection|city intersection|rural intersection|"
    "rural junction|urban junction|suburban intersection|suburban junction",
    "construction": "construction|roadworks|road works|work zone|construction zone|construction site|building site|roadwork|road work|"
    "construction area|works on road|road construction|highway construction|highway construction zone|motorway roadworks|workzone|"
    "urban roadworks|suburban roadworks|construction works|construction work",
}  # fmt: skip

KIND_WORDS: dict[str, str] = {
    "car": "car|sedan|hatchback|suv|saloon|taxi|cab|vehicle|automobile|passenger car|auto|estate car|station wagon|motor vehicle",
    "van": "van|minivan|delivery van|transporter|panel van|minibus|cargo van",
    "truck": "truck|lorry|semi|semi truck|semitrailer|hgv|tractor trailer|articulated lorry|big rig|juggernaut|heavy goods vehicle|"
    "box truck|dump truck|delivery truck|pickup|pickup truck|fire truck|trailer truck",
    "bus": "bus|coach|city bus|school bus|double decker|double decker bus|shuttle bus",
    "motorcycle": "motorcycle|motorbike|motorcyclist|scooter|moped|motor bike|motor cycle|motorcycle rider|motorcycle driver",
    "bicycle": "bicycle|pushbike|push bike|unridden bicycle|riderless bicycle|unridden bike|riderless bike",
    "cyclist": "cyclist|bicyclist|bike rider|bike|cycle|person on bicycle|person on bike|bicycle rider|man on bike|woman on bike|"
    "person riding bike|person riding bicycle|woman on bicycle|man on bicycle|someone on bike|someone on bicycle",
    "pedestrian": "pedestrian|person|man|woman|walker|jogger|runner|adult|passerby|passer by|guy|lady|someone|somebody|ped|"
    "human|pensioner|commuter|shopper|gentleman|person on foot",
    "child": "child|kid|boy|girl|toddler|schoolchild|schoolboy|schoolgirl|school kid|youngster|school child|little boy|little girl",
    "animal": "animal|deer|dog|moose|cow|sheep|horse|cat|fox|boar|wild boar|elk|stag|reindeer|roe deer|goat|wild animal|puppy",
    "cargo": "cargo|box|crate|pallet|debris|cardboard box|load|tyre|tire|boxes of cargo|wooden crate|obstacle|mattress|"
    "lost load|piece of cargo|piece of debris|ladder",
    "traffic_light": "traffic light|traffic signal|stoplight|stop light|signal light|set of traffic lights",
    "traffic_cone": "traffic cone|cone|pylon|road cone|safety cone",
}  # fmt: skip
"""Agent kind -> singular nouns; plurals are formed by rule and by IRREGULAR_PLURALS."""

IRREGULAR_PLURALS: dict[str, str] = {
    "man": "men", "woman": "women", "person": "people", "child": "children", "bus": "buses", "deer": "deer",
    "sheep": "sheep", "moose": "moose", "elk": "elk", "fox": "foxes", "box": "boxes", "passerby": "passersby",
    "passer by": "passers by", "debris": "debris", "cargo": "cargo", "someone": "", "somebody": "", "lorry": "lorries",
    "lady": "ladies", "gentleman": "gentlemen", "person on foot": "people on foot", "puppy": "puppies", "minibus": "minibuses",
    "schoolchild": "schoolchildren", "school child": "school children", "coach": "coaches", "roe deer": "roe deer",
    "person on bicycle": "people on bicycles", "person on bike": "people on bikes", "man on bike": "men on bikes", "person on a bike": "people on bikes",
    "woman on bike": "women on bikes", "city bus": "city buses", "school bus": "school buses", "shuttle bus": "shuttle buses",
    "person riding bike": "people riding bikes", "person riding bicycle": "people riding bicycles", "reindeer": "reindeer",
    "piece of cargo": "pieces of cargo", "piece of debris": "pieces of debris", "boxes of cargo": "", "mattress": "mattresses",
    "set of traffic lights": "sets of traffic lights", "double decker bus": "double decker buses", "cardboard box": "cardboard boxes",
    "articulated lorry": "articulated lorries", "auto": "autos",
}  # fmt: skip

ALSO_PLURAL: dict[str, str] = {
    "pedestrian": "persons|folk|folks|pedestrians|peds|crowd|crowds", "child": "kids|schoolkids", "car": "vehicles",
}  # fmt: skip

PLACE_WORDS: dict[str, str] = {
    "ahead": "ahead|ahead of us|up ahead|in front|in front of us|in front of our car|in front of car|in front of ego vehicle|"
    "right ahead|straight in front|before us|in our path|in our lane|just ahead|directly ahead|right in front of us|"
    "right in front|directly in front of us|ahead of our car|in ego lane|ahead of ego vehicle|ahead of ego|in front of ego|"
    "on road ahead|on our lane|ahead of car|down road|further ahead|we follow|right in front of our car|right in front of car",
    "left": "left|on left|on left hand side|on left side|to left|to our left|at left|left hand side|left side|on our left|on left pavement|"
    "on left sidewalk|on left kerb|on left curb|left of us|on pavement to left|on sidewalk to left|left pavement|left sidewalk|"
    "on pavement to our left|on sidewalk to our left|on left side of road|on left side of street|from left|on left of road|"
    "on left hand side of road|on left verge|to left of us|to left of road|on left edge of road",
    "right": "right|on right|on right hand side|on right side|to right|to our right|at right|right hand side|right side|on our right|"
    "on right pavement|on right sidewalk|on right kerb|on right curb|right of us|on pavement to right|on sidewalk to right|"
    "right pavement|right sidewalk|on pavement to our right|on sidewalk to our right|on right side of road|"
    "on right side of street|from right|on right of road|on right hand side of road|on right verge|to right of us|to right of road|"
    "on right edge of road",
    "oncoming": "oncoming|approaching|coming towards us|coming toward us|coming our way|heading towards us|heading toward us|"
    "in opposite direction|in oncoming lane|from opposite direction|coming from opposite direction|approaching us|coming at us|"
    "driving towards us|driving toward us|in opposite lane|in other direction|coming other way|on oncoming lane|riding towards us|"
    "coming from ahead|moving towards us|moving toward us|opposing",
    "crossing": "crossing|crosses|cross|crossed|crossing road|crossing street|crosses road|crosses street|cross road|cross street|"
    "walking across|walks across|walk across|going across|goes across|go across|on way across|making way across|makes way across|"
    "make way across|crossing ahead|crossing in front of us|crossing ahead of us|crossing our path|crosses our path|"
    "walking across road|walks across road|walking across street|walks across street|going across road|on way across road|"
    "halfway across|halfway across road|making way across road|crossing road ahead|crossing street ahead|crosses road ahead|"
    "going across street|on way across street|crosses in front of us|cross in front of us|crossing in front|crosses in front|"
    "cross our path|crossing road in front of us|crosses road in front of us|crosses street in front of us|crossing street in front of us|"
    "cross road in front of us|crossing carriageway|walks over road|crossing from left|crossing from right|who is crossing",
    "parked": "parked|parked by roadside|parked at roadside|parked along street|parked along road|parked at kerb|parked at curb|"
    "parked by kerb|parked by curb|parked on roadside|parked along kerb|parked along curb|parked at side|parked on street|"
    "parked beside road|parked at side of road|parked by side of road|standing at kerb|parked along roadside|parked ahead|"
    "parked nearby|parked on side|parked at edge of road",
    "anywhere": "anywhere|somewhere|around|in view|in scene|in sight|nearby|around us|somewhere around|somewhere in view|"
    "somewhere in scene|somewhere along street|somewhere along road|somewhere nearby|in surroundings|on scene|about|here and there|"
    "scattered around|in vicinity|somewhere in sight|all around",
    "from_behind_parked": "from behind them|out from behind them|from between them",
    "both": "on both sides|on both sides of street|on both sides of road|on either side|either side|both sides|left and right|"
    "on either side of road|on either side of street|on left and right|on left and on right",
    "road?": "in road|on road|in street|on street|on roadway|in roadway|in middle of road|in middle of street|on carriageway|on asphalt|"
    "lying on road|lying in road|lying on street|standing in road|standing on road|on lane|in lane",
}  # fmt: skip

VAGUE_COUNTS: dict[str, int] = {
    "couple": 2, "couple of": 2, "pair of": 2, "both": 2, "few": 3, "some": 3, "three or so": 3, "several": 4, "handful of": 4,
    "handful": 4, "group of": 5, "number of": 5, "half dozen": 6, "half dozen of": 6, "many": 8, "lots of": 8, "lot of": 8,
    "plenty of": 8, "numerous": 8, "crowd of": 10, "crowds of": 10, "dozen": 12, "dozens of": 20, "loads of": 8, "bunch of": 5,
    "various": 4, "multiple": 3, "two dozen": 24, "row of": 4, "line of": 4, "string of": 4,
}  # fmt: skip
NUMBER_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60}
PLURAL_COUNT = 3
"""What a plural without a number stands for."""

TRAFFIC_COUNTS: dict[str, int] = {
    "traffic": 4, "traffic jam": 10, "traffic jams": 10, "stuck in traffic": 10, "tailback": 10, "jam": 10, "moderate traffic": 4, "heavy traffic": 10, "dense traffic": 10, "busy traffic": 10, "rush hour traffic": 10,
    "rush hour": 10, "congested": 10, "congestion": 10, "lots of traffic": 10, "light traffic": 2, "little traffic": 2, "sparse traffic": 2,
    "low traffic": 2, "thin traffic": 2, "some traffic": 4, "medium traffic": 4, "much traffic": 10, "gridlock": 10,
}  # fmt: skip
"""Words for traffic -> number of cars anywhere."""
EMPTY_WORDS = "empty|deserted|empty road|empty street|no traffic|no other traffic|without traffic|without other traffic|no vehicles|no other vehicles|without other vehicles|without vehicles|free of traffic|without any traffic|without any other traffic|without any vehicles|lonely|no traffic at all"
EMPTY_KINDS = ("car", "van", "truck", "bus", "motorcycle")
"""Kinds of which an empty road has none."""

NEGATIONS = "no|not|without|neither|nor|never|none|zero|don't|doesn't|isn't|aren't|didn't|won't|free of|devoid of|instead of|except"
ALSO_NO = "no other|not any|without any|without other|without any other|no more|no single|not single"
DETERMINERS = frozenset(
    ["a", "an", "the", "our", "my", "your", "its", "their", "his", "her", "this", "that", "these", "those"]
)

FILLERS = (
    "video|videos|clip|clips|footage|recording|his bike|her bike|their bike|their bikes|his bicycle|her bicycle|from standstill|from stop|recording|from moving car|from inside car|dashcam|dash cam|dash camera|camera|scene|scenes|scenario|show|shows|showing|shown|generate|create|make|render|please|want|would like|i want|"
    "i would like|i'd like|need|i need|give me|show me|is|are|was|were|be|being|been|it|it's|there|there's|they|them|he|she|in|on|at|of|from|to|with|"
    "and|or|as|then|while|when|where|which|who|that|during|along|through|onto|into|over|across|by|for|under|within|just|only|suddenly|sudden|"
    "unexpectedly|abruptly|weather|light|lighting|conditions|condition|condition is|road|roads|street|streets|roadway|drive|drives|driving|driven|drivers|driver|"
    "travelling|traveling|travel|motion|ride|riding|rides|ridden|moving|moves|move|going|goes|go|we|us|i|me|ego|vehicle's|ego vehicle|ego car|our car|"
    "our vehicle|host vehicle|own car|own vehicle|camera car|manoeuvre|maneuver|duration|length|long|lasting|lasts|about|approximately|roughly|"
    "seconds|second|view|seen|see|visible|captured|filmed|recorded|front|forward|forward facing|facing|windscreen|windshield|what happens|what|happens|"
    "happen|event|events|agents|agent|traffic participants|participants|road users|but|also|plus|another|other|one|else|any|all|time|hour|o'clock|"
    "sky|skies|air|surface|pavement|sidewalk|kerb|curb|roadside|verge|hand|side|edge|lane|lanes|two lane|two way|single lane|multi lane|"
    "three lane|four lane|quiet|stands|standing|stand|waiting|wait|waits|lying|lies|located|driving scene|"
    "walking|walks|walk|has|have|having|can be seen|can|will|does|do|did|followed|following|follows|follow|followed by|after|"
    "before|until|falling|falls|fall|comes|come|coming|behind wheel|vehicle camera|falling heavily|commute|"
    "type|kind|set|takes place|place|rare|test|case|edge case|critical|safety critical|situation|report|log|entry|id|tag|tags|caption|subject|"
    "environment|setting|context|illumination|actors|actor|action|ahead of schedule|present|nothing else|here|up|down|out|"
    "off|so|too|very|quite|straight|car's|an hour|moment|near|against|hazard|hazards|road type|time of day|ego manoeuvre|seconds long|second long|"
    "note|observed|observe|noted|encounter|encounters|encountering|meet|past|pass|featuring|features|including|include|includes|contains|running time|run time"
)  # fmt: skip
"""Words that carry no wish of their own: read, and rightly without effect."""

UNMODELLED = (
    "level crossing|brake lights|brake light|tail lights|tail light|stop sign|police car|crossing guard|railway crossing|traffic warden|behind|behind us|behind it|beside|next|above|below|"
    "zebra|speed bump|water|between"
)
"""Phrases that look like words of the vocabulary but are not: reported as not understood."""
NO_EVENT = "nothing happens|nothing special happens|no events|no event|without events|uneventful|nothing special|no incident|no incidents|nothing unusual"
