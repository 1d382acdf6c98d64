# Writes the packaged library of groups and what GAP knows of each:
#   gap -q tests/groups/small_groups.g
# run in the repository root with GAP 4.12 and its packages SmallGrp and GAPDoc (Debian:
# gap-core, gap-smallgrp). Nothing else in the project needs GAP.

# Cycles of a permutation on 0, 1, …, as text: GAP counts from 1.
CyclesAsText := function(p)
  local text, cycle;
  text := "";
  for cycle in Filtered(Cycles(p, MovedPoints(p)), c -> Length(c) > 1) do
    Append(text, Concatenation("(", JoinStringsWithSeparator(
      List(cycle, i -> String(i - 1)), " "), ")"));
  od;
  if text = "" then return "()"; fi;
  return text;
end;;

# A faithful permutation representation of small degree, by few generators.
Generators := function(group)
  local regular, small, image;
  regular := Image(IsomorphismPermGroup(group));
  small := SmallerDegreePermutationRepresentation(regular);
  image := Image(small);
  if Size(image) = 1 then return [()]; fi;
  if IsSolvableGroup(image) then return MinimalGeneratingSet(image); fi;
  return SmallGeneratingSet(image);
end;;

# The complex irreps as "degree:indicator*count", sorted.
Irreps := function(group)
  local table, degrees, indicators, pairs;
  table := CharacterTable(group);
  degrees := List(Irr(table), chi -> chi[1]);
  indicators := Indicator(table, Irr(table), 2);
  pairs := Collected(List([1 .. Length(degrees)], i -> [degrees[i], indicators[i]]));
  return JoinStringsWithSeparator(List(pairs, p -> Concatenation(
    String(p[1][1]), ":", String(p[1][2]), "*", String(p[2]))), " ");
end;;

SizeScreen([10000, 10000]);;
library := OutputTextFile("repjax/groups/small_groups.txt", false);;
expected := OutputTextFile("tests/groups/small_groups_expected.txt", false);;
SetPrintFormattingStatus(library, false);;
SetPrintFormattingStatus(expected, false);;
AppendTo(library,
  "# order | number | GAP's structure description | generators on 0, 1, ...\n",
  "# Numbered as in the Small Groups Library (Besche, Eick, O'Brien), from GAP ",
  GAPInfo.Version, ", SmallGrp ",
  PackageInfo("smallgrp")[1].Version, " (Artistic License 2.0).\n",
  "# Written by tests/groups/small_groups.g.\n");;
AppendTo(expected,
  "# order | number | classes | degree:indicator*count of complex irreps | automorphisms\n",
  "# From GAP, by tests/groups/small_groups.g.\n");;
for order in [1 .. 100] do
  for number in [1 .. NumberSmallGroups(order)] do
    group := SmallGroup(order, number);
    AppendTo(library, order, "|", number, "|", StructureDescription(group), "|",
      JoinStringsWithSeparator(List(Generators(group), CyclesAsText), ", "), "\n");
    AppendTo(expected, order, "|", number, "|", NrConjugacyClasses(group), "|",
      Irreps(group), "|", Size(AutomorphismGroup(group)), "\n");
  od;
od;
CloseStream(library);;
CloseStream(expected);;
QUIT;
