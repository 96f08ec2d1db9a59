"""Phrases with an inner structure: what people write for the events and for what the ego vehicle does.

A pattern is a row of unit names (see `units.py`). ``a|b`` is either, ``a?`` may be missing, ``~`` skips up to two units
and ``~~`` up to five, never across the end of a clause. Names in capitals stand for groups. Patterns are tried in
order, so the more specific ones come first.
"""

from __future__ import annotations

SYMBOLS: dict[str, str] = {
    "rush": "run|runs|running|ran|dart|darts|darting|darted|dash|dashes|dashing|dashed|sprint|sprints|sprinting|bolt|bolts|bolting|jump|jumps|"
    "jumping|jumped|leap|leaps|leaping|burst|bursts|bursting|rush|rushes|rushing|step|steps|stepping|stepped|emerge|emerges|"
    "emerging|emerged|appear|appears|appearing|pop|pops|popping|wander|wanders|wandering|strays|straying|walks out|walk out|walking out|"
    "shoot|shoots|shooting|comes out|coming out|come out|chases",
    "walk": "walk|walks|walking|walked|strolls|strolling|hikes|jogs|jogging|marches|stand|stands|standing",
    "jaywalk": "jaywalker|jaywalkers|jaywalking|jaywalks|jaywalk|jay walker|jay walking",
    "stumble": "stumble|stumbles|stumbling|stumbled|trip|trips|tripping|tripped|falls|fall|falling|fell|falls over|loses balance|collapses",
    "swerve": "swerve|swerves|swerving|swerved|veer|veers|veering|wobble|wobbles|wobbling|weave|weaves|weaving|lurches",
    "open": "open|opens|opening|opened|swings open|flung open|flings open|swinging open",
    "door": "door|doors|car door|car doors|driver's door|vehicle door|driver door|passenger door",
    "dooring": "dooring|doored|door opening|door opener|door opens|door zone",
    "cut": "cut|cuts|cutting|squeezes in|squeezing in|barges in|pushes in",
    "cut_in": "cut in|cuts in|cutting in|cut ins|cutin",
    "cut_out": "cut out|cuts out|cutting out|cutout",
    "brake": "brake|brakes|braking|braked|slows|slowing|slowed|slow down|slows down|slowing down|slowed down|decelerate|decelerates|"
    "decelerating|deceleration|reduces speed|reduce speed|reducing speed|eases off|lose speed",
    "brake_hard": "hard braking|brake hard|brakes hard|braking hard|slam|slams|slamming|slams on|slamming on|emergency brake|emergency brakes|emergency braking|"
    "brakes sharply|brake sharply|full braking|heavy braking|harsh braking|brakes heavily|brake heavily|panic braking|panic brakes|"
    "braking sharply|braking heavily|brake suddenly|brakes suddenly|suddenly brakes|sudden braking|brakes abruptly|braking suddenly|"
    "braking abruptly|brakes to a standstill|brake firmly|brakes firmly|braking firmly|firm braking|hits the brakes|suddenly brakes hard|"
    "suddenly stops|stops abruptly|stops suddenly|stopping abruptly|stopping suddenly|comes to sudden stop|slams brakes|abrupt braking",
    "stop": "stop|stops|stopping|halt|halts|halting|standstill|come to stop|comes to stop|coming to stop|full stop|complete stop|to halt|to stop|"
    "come to full stop|comes to full stop|come to halt|comes to halt|coming to halt|stop completely|stops completely|"
    "come to complete stop|comes to complete stop|to standstill|come to standstill|comes to standstill|coming to full stop|pull over|pulls over|pulling over|"
    "coming to standstill|coming to complete stop",
    "emergency_stop": "emergency stop|emergency stops|makes emergency stop|panic stop|crash stop",
    "stopped": "stopped|stationary|immobile|halted|standing still|motionless",
    "stalled": "stalled|broken down|breakdown|breaks down|disabled|stranded|stuck|dead|abandoned|immobilised|immobilized|wrecked",
    "pull_out": "pull out|pulls out|pulling out|pulled out|sets off|setting off|moves out|moving out|drives out|driving out|comes out|noses out|leaves|leaves stop|leaving stop|leaving|departs|departing",
    "pull_in": "pulls into|pulling into|moves into|moving into|changes into|swings into|changing into|pull into|squeezes into|comes into",
    "reverse": "reverse|reverses|reversing|reversed|back out|backs out|backing out|backs|backing|reverses out|reversing out|reverse out|rolls backwards",
    "merge": "merge|merges|merging|joins|join|joining|forces its way|forcing its way|squeezes",
    "drift": "drift|drifts|drifting|drifted|strays|straying|wanders|wandering|creeps|creeping|leaves its lane",
    "neighbour": "next lane|neighbouring lane|neighboring lane|adjacent lane|lane beside us|beside us|next to us|neighbour|neighbor|neighbouring|"
    "neighboring|alongside|alongside us|lane next to us|lane next to ours|beside our car",
    "lose": "lose|loses|lost|losing|drop|drops|dropped|dropping|shed|sheds|shedding|spill|spills|spilling|spilled|falls off|fall off|fell off|"
    "falling off|falls from|fell from|falling from|tumbles off|tumbles from|fallen from|fallen off|slides off|tumbling off",
    "red": "red light|red lights|red signal|red traffic light|red|red traffic signal",
    "ignore": "ignore|ignores|ignoring|disregards|disregarding|violates|skips|runs|running|run|jumps|jumping|jump|through|crosses on|drives through|driving through",
    "red_runner": "red light runner|red light running|red light runners|red light violation|red light violator",
    "turn": "turn|turns|turning|turned|take|takes|taking|make|makes|making|bends|bear|veer off",
    "left_turn": "left turn|left turns|turn left|turns left|turning left|turned left|turn to left|turns to left|turning to left|take left|takes left|"
    "make left|makes left|taking left|making left|hang left|take left turn|makes left turn|take next left|making left turn|taking left turn|make left turn",
    "right_turn": "right turn|right turns|turn right|turns right|turning right|turned right|turn to right|turns to right|turning to right|"
    "take right|takes right|make right|makes right|taking right|making right|hang right|take right turn|makes right turn|"
    "take next right|making right turn|taking right turn|make right turn",
    "left_lane": "to left lane|into left lane|in left lane|to lane on left|to left hand lane|left lane|lane on left|lane to left|left hand lane|fast lane|passing lane",
    "right_lane": "to right lane|into right lane|in right lane|to lane on right|to right hand lane|right lane|lane on right|lane to right|right hand lane|slow lane",
    "change_lane": "change lane|changes lane|changing lane|lane change|change lanes|changes lanes|changing lanes|lane changes|switch lanes|switches lanes|"
    "switching lanes|switch lane|lane shift|lane switch|shifts lane|switching lane",
    "change": "change|changes|changing|switch|switches|switching|move|moves|moving|merge|merges|merging|shift|shifts|shifting|go|goes|pull|pulls|pulling|"
    "swing|swings|drift|get",
    "accelerate": "accelerate|accelerates|accelerating|accelerated|acceleration|speed up|speeds up|speeding up|pick up speed|picks up speed|"
    "gain speed|gains speed|picking up speed|step on gas|steps on gas|gaining speed|go faster|going faster",
    "keep": "keep|keeps|keeping|keep lane|keeps lane|keeping lane|straight ahead|straight on|drive straight|drives straight|driving straight|go straight|goes straight|"
    "going straight|keep going|cruise|cruises|cruising|constant speed|steady speed|continue straight|continues straight|stay in lane|stays in lane|"
    "staying in lane|stay in our lane|keep speed|keeps speed|steady|maintain speed|maintains speed|maintaining speed|keep straight|"
    "keeps straight|hold lane|holds lane|holding lane|lane keeping|unchanged speed|even speed|keeping our lane|keep our lane|holding our speed|"
    "keeps to its lane|carries straight on|drive straight ahead|driving straight ahead|goes straight on|straight",
    "overtake": "overtake|overtakes|overtaking|overtaken|passes|passing",
    "overtaker": "overtaker|overtakers",
    "reveal": "reveal|reveals|revealing|revealed|expose|exposes|exposing|uncovers|uncovering|uncover",
    "yield": "yield|yields|yielding|give way|gives way|giving way|priority|right of way|stopping at sign|giving priority",
    "side_road": "side road|side street|minor road|side roads|side streets|side turning|side lane",
    "wrong_way": "wrong way|wrong side|wrong direction|wrong lane|against traffic|against flow|wrong way round|wrong carriageway|wrong side of road|"
    "wrong side of street|against direction of traffic|against flow of traffic|opposite to traffic|wrong side of carriageway|against oncoming traffic",
    "ghost_driver": "ghost driver|wrong way driver|wrong way drivers|ghost drivers|wrong way car|wrong way vehicle|driver wrong way",
    "gap": "gap|gaps|enough room|enough space|space",
    "ramp": "slip road|on ramp|ramp|acceleration lane|entry ramp|feeder road|entrance ramp|onramp|merge lane|entry lane",
    "worker": "worker|workers|flagger|road worker|road workers|roadworker|workman|workmen|construction worker|construction workers|labourer|flagman|roadworkers",
    "closure": "lane closure|closed lane|lane closed|lane is closed|closed off lane|blocked lane|coned off lane|lane blocked|shut lane",
    "taper": "taper|tapers|narrowed|narrows|narrow|narrowing|tapering|merge sign|funnel|funnelled|coned",
    "bus_stop": "bus stop|out of stop|from stop|bus bay|stop bay|lay by|bus lay by|bus shelter",
    "driveway": "driveway|drive way|garage|driveways|garage entrance|parking space|drive",
    "crest": "crest|brow|hill|hilltop|rise|hill crest|crest of hill|brow of hill|top of hill|crest of road",
    "queue": "queue|jam|tailback|traffic jam|traffic queue|queue of cars|stopped traffic|standing traffic|stationary traffic|stationary queue|"
    "queuing traffic|stationary queue of cars|stationary cars|line of cars|queue of vehicles|queue of stationary cars|queued cars|queue of traffic|traffic jams|tail of jam|congestion|line of stopped cars",
    "end": "end|tail|tail end|back|end of",
    "split": "split|splits|splitting|filter|filters|filtering|squeezes|squeezing|squeeze|threads|threading|lane filtering|weaves|weaving|slips|slipping",
    "lane_splitter": "lane splitting|lane splitter|splitting lanes|splits lanes|lane filtering|lane splits|filters lanes|filtering lanes",
    "lead": "leader|lead car|lead vehicle|leading car|leading vehicle|preceding car|preceding vehicle|lead truck|lead van|leading truck|preceding truck|car we follow",
    "stop_and_go": "stop and go|stop go|stop start|stop start traffic|stop and go traffic|start stop|stop and start|stopping and starting|stops and goes|stop go traffic",
    "crosswalk": "crosswalk|zebra crossing|pelican crossing|crosswalks|zebra crossings|marked crossing|pedestrian crosswalk|on crossing|at crossing|at pedestrian crossing|"
    "on pedestrian crossing|striped crossing|crossing point|over crossing|marked pedestrian crossing",
    "unlit_thing": "without lights|without light|with no lights|with no light|no lights|unlit|lights off|without any lights|no light|without bicycle lights|"
    "without bike lights|with lights off|without lamp|without working lights|lacking lights|lightless|no bike lights",
    "hard_to_see": "in dark clothing|in black|in black clothes|in black clothing|in dark coat|without reflectors|with no reflectors|no reflectors|dark clothes|dark clothing|black clothes|black clothing|dressed in black|without reflector|"
    "without reflective clothing|no reflective clothing|without hi vis|without high visibility clothing|dressed dark|dark dressed|"
    "in dark clothes|unlit pedestrian|hardly visible|barely visible|dark coat|dressed in dark|no reflective vest|without reflective vest|"
    "without any reflectors|dressed in dark clothes|wearing dark clothes|wearing dark clothing|wearing black|lacking reflectors|"
    "without reflective gear|unreflective|with nothing reflective|nothing reflective",
    "roadside": "along road|along roadside|along edge|along edge of road|edge of road|roadside|along street|on shoulder|along shoulder|hard shoulder|along verge|"
    "beside road|along side of road|side of road|at roadside|along rural road|along highway|along country road|along roadway|along edge of roadway|"
    "along country lane|along edge of carriageway|along motorway",
    "group": "group|crowd|bunch|groups|crowds|party|school class|group of|crowd of|crowds of|bunch of",
    "slam_brakes": "slams on brakes|slam on brakes|slamming on brakes|slams brakes|hits brakes|hit brakes|stands on brakes|hitting brakes",
    "dog": "dog|puppy|dogs|stray dog|loose dog",
}  # fmt: skip
"""Unit name -> words and phrases that are read as it. Words here that no pattern uses up are reported unless neutral."""

GROUPS: dict[str, str] = {
    "VEH": "car|van|truck|bus|lead", "ANY": "car|van|truck|bus|lead|motorcycle", "PED": "pedestrian|child|group", "WALKER": "pedestrian",
    "CROSSES": "crossing_verb|p_crossing", "AHEAD": "p_ahead|lead", "INTO": "into|in|onto|on|to|across|over|off", "US": "us|we|our|ours|ego|road|lane|lanes|street|path|traffic|way|roadway|p_ahead|carriageway|curb|kerb|pavement|sidewalk",
    "NO": "no|not|without|never|fails|failing|fail|refuses", "ANIMAL": "animal|dog", "STILL": "stopped|stalled|stop", "HARD": "brake_hard|slam_brakes", "EGO": "we|us|i|ego|me",
    "BETWEEN": "between|behind|p_from_behind_parked|amid|among",
    "BIKE": "cyclist|bicycle", "STOPS": "brake|brake_hard|stop|slam_brakes|emergency_stop|emergency",
}  # fmt: skip

EVENT_PATTERNS: tuple[tuple[str, str], ...] = (
    # Cars and their leaders before single words such as "brake".
    (
        "cut_out_revealing_stopped_car",
        "AHEAD|VEH ~~ change_lane|change|swerve|cut_out|turn|pull_out ~ ,? ~~ reveal ~~ STILL ~ VEH?",
    ),
    ("cut_out_revealing_stopped_car", "cut_out ~ ,? ~~ reveal ~~ STILL ~ VEH?"),
    ("cut_out_revealing_stopped_car", "reveal ~~ STILL ~ VEH"),
    ("cut_out_revealing_stopped_car", "VEH? ~ cut_out"),
    ("red_light_runner", "red_runner"),
    ("red_light_runner", "ANY|cyclist ~ ignore|rush ~ red ~ signal?"),
    ("red_light_runner", "ignore|rush ~ red ~ signal?"),
    ("left_turn_across_path", "p_oncoming ~ ANY? ~ left_turn ~~ across|CROSSES|p_ahead ~ path|way|us?"),
    ("left_turn_across_path", "ANY ~ left_turn ~ across|p_ahead|CROSSES ~ path|way|us?"),
    ("left_turn_across_path", "left_turn across path"),
    ("left_turn_across_path", "p_oncoming ~ ANY ~ left_turn"),
    ("left_turn_across_path", "p_oncoming ~ left_turn"),
    ("failure_to_yield_from_side_road", "ANY ~~ side_road ~~ NO ~ yield"),
    ("failure_to_yield_from_side_road", "ANY ~~ NO ~ yield ~~ side_road"),
    ("failure_to_yield_from_side_road", "NO|failure ~ yield ~~ side_road?"),
    ("failure_to_yield_from_side_road", "ANY ~ pull_out|rush|pull_in|turn|emerge ~~ side_road"),
    ("failure_to_yield_from_side_road", "NO|failure ~ yield"),
    ("merging_without_gap", "ANY ~ merge ~~ ramp ~~ NO|tiny|small ~ gap"),
    ("merging_without_gap", "ANY ~ merge ~~ NO|tiny|small ~ gap ~~ ramp?"),
    ("merging_without_gap", "merge ~~ NO|tiny|small ~ gap"),
    ("merging_without_gap", "ANY ~~ merge ~~ ramp"),
    ("wrong_way_driver", "ghost_driver"),
    ("cyclist_wrong_way", "wrong_way BIKE"),
    ("cyclist_wrong_way", "BIKE ~~ wrong_way"),
    ("wrong_way_driver", "wrong_way ~ ANY|driver"),
    ("wrong_way_driver", "ANY|driver|drivers ~~ wrong_way ~~ p_oncoming?"),
    ("oncoming_overtaker", "p_oncoming ~ overtaker"),
    ("oncoming_overtaker", "p_oncoming ~ ANY ~~ overtake ~~ ANY?"),
    ("oncoming_overtaker", "overtake ~ ANY ~ p_oncoming"),
    ("oncoming_overtaker", "ANY ~ overtake ~~ p_oncoming"),
    ("lane_closure_worker", "worker ~~ ,? ~~ closure ~ p_ahead?"),
    ("lane_closure_worker", "closure ~~ worker"),
    ("lane_closure_worker", "worker"),
    ("construction_taper_with_cones", "taper ~~ traffic_cone"),
    ("construction_taper_with_cones", "traffic_cone ~~ taper"),
    ("construction_taper_with_cones", "taper"),
    ("construction_taper_with_cones", "closure ~ p_ahead?"),
    ("queue_end_behind_crest", "end? ~ queue ~~ behind|over|beyond|after|past ~~ crest"),
    ("queue_end_behind_crest", "crest ~~ queue"),
    ("queue_end_behind_crest", "end queue"),
    ("motorcycle_lane_splitting", "motorcycle ~ lane_splitter"),
    ("motorcycle_lane_splitting", "motorcycle|rider|biker ~ split ~~ between|lanes|cars ~~ lanes|lane|car? ~ car?"),
    ("motorcycle_lane_splitting", "lane_splitter ~ motorcycle?"),
    ("motorcycle_lane_splitting", "motorcycle ~ between lanes"),
    ("car_reversing_out_of_driveway", "VEH ~ reverse ~~ driveway"),
    ("car_reversing_out_of_driveway", "reverse ~~ driveway"),
    ("car_reversing_out_of_driveway", "reverse VEH"),
    ("car_reversing_out_of_driveway", "VEH ~ reverse"),
    ("emergency_stop_of_motorcycle", "motorcycle|rider|biker ~ AHEAD? ~ STOPS ~ p_ahead?"),
    ("emergency_stop_of_motorcycle", "emergency_stop ~ motorcycle|biker"),
    ("emergency_stop_of_motorcycle", "HARD ~ motorcycle|biker"),
    ("lost_cargo", "VEH ~ lose ~ cargo|items|something"),
    ("lost_cargo", "cargo ~ lose ~~ truck|van|car|trailer|vehicle ~ p_ahead?"),
    ("lost_cargo", "lose cargo ~ p_ahead?"),
    ("lost_cargo", "cargo lose"),
    ("lost_cargo", "cargo spill"),
    ("stalled_truck_in_fog", "stalled ~ truck"),
    ("stalled_truck_in_fog", "truck ~ stalled"),
    ("stalled_car_on_lane", "stalled ~ car|van"),
    ("stalled_car_on_lane", "stopped car"),
    ("stalled_car_on_lane", "car|van ~ stalled"),
    ("stalled_car_on_lane", "car|van blocks|blocking|obstructing lane|road|way|path"),
    ("sudden_stop_and_go", "traffic? ~ stop_and_go ~ traffic?"),
    ("pedestrian_from_behind_bus", "PED ~ rush|walk|CROSSES? ~~ behind ~ bus"),
    ("child_from_between_parked_cars", "child ~ rush ~~ BETWEEN ~ p_parked? ~ VEH"),
    ("child_from_between_parked_cars", "child ~~ between ~ p_parked? ~ VEH"),
    ("dooring", "dooring"),
    ("dooring", "p_parked? ~ pedestrian|VEH? ~ open ~ door"),
    ("dooring", "door ~ VEH? ~ open"),
    ("bus_pulling_out", "bus ~ pull_out ~ from? ~ bus_stop?"),
    ("bus_pulling_out", "bus ~ leaves|leaving ~ bus_stop"),
    ("drifting_neighbour", "drift neighbour"),
    ("drifting_neighbour", "drift ~ VEH ~ neighbour"),
    ("drifting_neighbour", "VEH ~ neighbour ~ drift ~~ lane|ours|us|lanes?"),
    ("drifting_neighbour", "neighbour ~ VEH? ~ drift ~~ lane|ours|us?"),
    ("drifting_neighbour", "ANY ~ drift ~~ lane|ours|us"),
    ("drifting_neighbour", "drift ~ VEH"),
    ("cut_in", "VEH? ~ cut_in ~ AHEAD?"),
    ("cut_in", "ANY ~ cut ~ in? ~ p_ahead|off|lane|path?"),
    ("cut_in", "ANY ~ pull_in ~ lane|path ~ p_ahead?"),
    ("cut_in", "ANY ~ change|merge|swerve|change_lane ~ into|in ~ lane|p_ahead ~ p_ahead?"),
    ("hard_braking_leader", "lead ~ HARD ~ p_ahead?"),
    ("hard_braking_leader", "hard_braking_leader"),
    ("hard_braking_leader", "HARD ~ of? ~ VEH|lead ~ p_ahead?"),
    ("hard_braking_leader", "VEH ~ AHEAD ~ STOPS ~ brake|hard|brakes?"),
    ("hard_braking_leader", "AHEAD ~ VEH ~ STOPS"),
    ("hard_braking_leader", "lead ~ STOPS"),
    ("hard_braking_leader", "VEH ~ HARD ~ p_ahead?"),
    ("hard_braking_leader", "VEH STOPS ~ p_ahead"),
    # Cyclists.
    ("cyclist_at_night_without_light", "BIKE ~~ unlit_thing"),
    ("cyclist_at_night_without_light", "unlit_thing|l_night_unlit BIKE"),
    ("cyclist_at_night_without_light", "BIKE ~ hard_to_see"),
    ("cyclist_swerving", "cyclist ~ swerve ~~ swerve?"),
    ("cyclist_swerving", "swerve ~ cyclist"),
    ("cyclist_crossing", "cyclist ~ rush ~~ US"),
    ("cyclist_crossing", "cyclist ~ crossing_verb"),
    # Animals.
    ("dog_runs_out", "dog ~ rush ~ INTO? ~ US?"),
    ("dog_runs_out", "dog ~ crossing_verb"),
    ("animal_crossing", "ANIMAL ~ crossing_verb|rush ~ INTO? ~ US?"),
    ("animal_crossing", "crossing_verb animal"),
    ("animal_crossing", "wildlife ~ CROSSES"),
    # People.
    ("pedestrian_stumbles", "PED ~ stumble ~~ stumble?"),
    ("pedestrian_stumbles", "stumble PED"),
    ("pedestrian_at_night_without_reflectors", "PED ~~ hard_to_see ~ walk|CROSSES? ~ roadside?"),
    ("pedestrian_at_night_without_reflectors", "hard_to_see PED"),
    ("pedestrian_on_crossing", "PED ~~ CROSSES|walk|rush|uses|using ~ crosswalk"),
    ("pedestrian_on_crossing", "PED ~~ crosswalk"),
    ("pedestrian_on_crossing", "crosswalk ~ PED"),
    ("pedestrian_on_crossing", "CROSSES crosswalk"),
    ("pedestrian_on_crossing", "crosswalk"),
    ("group_crossing", "group ~ pedestrian|child? ~ CROSSES|rush ~ US?"),
    ("group_crossing", "CROSSES group ~ pedestrian|child?"),
    ("group_crossing", "group ~ CROSSES"),
    ("pedestrian_walking_along_road", "PED ~ walk|rush? ~ roadside"),
    ("jaywalker", "jaywalk WALKER"),
    ("jaywalker", "WALKER? ~ jaywalk"),
)
"""(event, pattern) in the order in which they are tried. A ``from behind a parked car`` place is tried before the rest
of the people (see LATE_EVENT_PATTERNS)."""

PLACE_PATTERNS: tuple[tuple[str, str], ...] = (
    ("from_behind_parked", "rush|walk? ~ from|out? ~ behind|between ~ p_parked ~ VEH"),
    ("from_behind_parked", "from behind|between ~ VEH"),
    ("from_behind_parked", "rush ~ p_from_behind_parked"),
    ("from_behind_parked", "hidden by|behind ~ p_parked ~ VEH"),
)

LATE_EVENT_PATTERNS: tuple[tuple[str, str], ...] = (
    ("jaywalker", "PED ~ rush ~~ INTO ~ US"),
    ("jaywalker", "PED ~ rush ~ p_ahead"),
    ("jaywalker", "PED ~ walk ~ into|onto ~ US"),
)

MANOEUVRE_PATTERNS: tuple[tuple[str, str], ...] = (
    ("lane_left", "change_lane ~ p_left|left_lane"),
    ("lane_right", "change_lane ~ p_right|right_lane"),
    ("lane_left", "p_left change_lane"),
    ("lane_right", "p_right change_lane"),
    ("lane_left", "change|turn|pull_in|merge|swerve|drift ~ INTO? ~ left_lane"),
    ("lane_right", "change|turn|pull_in|merge|swerve|drift ~ INTO? ~ right_lane"),
    ("lane_left", "lane left_turn|p_left"),
    ("lane_right", "lane right_turn|p_right"),
    ("lane_left", "left_lane change|change_lane"),
    ("lane_right", "right_lane change|change_lane"),
    ("lane_left", "left_lane"),
    ("lane_right", "right_lane"),
    ("lane_left", "swerve ~ p_left"),
    ("lane_right", "swerve ~ p_right"),
    ("turn_left", "left_turn"),
    ("turn_right", "right_turn"),
    ("turn_left", "turn p_left"),
    ("turn_right", "turn p_right"),
    ("lane_left", "EGO ~ overtake"),
    ("stop", "emergency_stop"),
    ("stop", "brake|HARD ~ stop"),
    ("stop", "HARD ~ brake|brakes?"),
    ("stop", "stop"),
    ("brake", "brake"),
    ("accelerate", "accelerate"),
    ("keep", "keep"),
)

_ABSORBED = "p_ahead towards toward away approach approaches blocks blocking block obstructing rush stopped line ends ramp swerve stumble hard_to_see side_road pull_in path p_road"
ABSORBED = frozenset(_ABSORBED.split())
"""Units that only restate what an event is when they stand in it or right after it ("a jaywalker steps out ahead")."""
ALSO_ABSORBED: dict[str, frozenset[str]] = {
    "dooring": frozenset(("p_parked",)), "left_turn_across_path": frozenset(("p_oncoming",)), "wrong_way_driver": frozenset(("p_oncoming",)),
    "cyclist_wrong_way": frozenset(("p_oncoming",)), "oncoming_overtaker": frozenset(("p_oncoming", "car", "another")),
    "bus_pulling_out": frozenset(("pull_out", "p_parked", "stop")), "failure_to_yield_from_side_road": frozenset(("pull_out",)),
    "cut_out_revealing_stopped_car": frozenset(("pull_out", "lead", "car", "change")), "construction_taper_with_cones": frozenset(("between",)),
    "hard_braking_leader": frozenset(("stop",)),
    "drifting_neighbour": frozenset(("p_left", "p_right")),
    "cut_in": frozenset(("p_left", "p_right")),
}  # fmt: skip

EVENT_CONTEXT: dict[str, dict[str, str]] = {
    "child_from_between_parked_cars": {}, "pedestrian_at_night_without_reflectors": {"light": "night", "road": "rural"},
    "pedestrian_walking_along_road": {"road": "rural"}, "cyclist_at_night_without_light": {"light": "night"},
    "cut_in": {"road": "highway"}, "cut_out_revealing_stopped_car": {"road": "highway"}, "wrong_way_driver": {"road": "highway"},
    "red_light_runner": {"road": "intersection"}, "left_turn_across_path": {"road": "intersection"},
    "failure_to_yield_from_side_road": {"road": "intersection"}, "lost_cargo": {"road": "highway"},
    "stalled_truck_in_fog": {"road": "highway", "weather": "fog"}, "animal_crossing": {"road": "rural"},
    "dog_runs_out": {"road": "suburban"}, "construction_taper_with_cones": {"road": "construction"},
    "lane_closure_worker": {"road": "construction"}, "merging_without_gap": {"road": "highway"},
    "oncoming_overtaker": {"road": "rural"}, "queue_end_behind_crest": {"road": "highway"},
    "motorcycle_lane_splitting": {"road": "highway"}, "car_reversing_out_of_driveway": {"road": "suburban"},
    "drifting_neighbour": {"road": "highway"},
}  # fmt: skip
"""Where and when an event is assumed to happen when the prompt does not say."""
EVENT_NAMES: tuple[str, ...] = (
    "jaywalker", "child_from_between_parked_cars", "pedestrian_at_night_without_reflectors", "pedestrian_on_crossing",
    "pedestrian_walking_along_road", "pedestrian_stumbles", "group_crossing", "cyclist_swerving", "cyclist_crossing",
    "cyclist_wrong_way", "cyclist_at_night_without_light", "dooring", "cut_in", "cut_out_revealing_stopped_car",
    "hard_braking_leader", "sudden_stop_and_go", "wrong_way_driver", "red_light_runner", "left_turn_across_path",
    "failure_to_yield_from_side_road", "lost_cargo", "stalled_truck_in_fog", "stalled_car_on_lane", "animal_crossing",
    "dog_runs_out", "construction_taper_with_cones", "lane_closure_worker", "merging_without_gap", "bus_pulling_out",
    "oncoming_overtaker", "queue_end_behind_crest", "motorcycle_lane_splitting", "car_reversing_out_of_driveway",
    "drifting_neighbour", "emergency_stop_of_motorcycle", "pedestrian_from_behind_bus",
)  # fmt: skip
