// How results of a search are ordered: a page about a word stands before the methods that have its name.
var Scorer = {
  // The name of an object is what is searched for, or a part of it.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 8, 1: 0, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
