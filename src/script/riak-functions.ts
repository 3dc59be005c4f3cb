/**
 * The JavaScript functions that Riak's jobs know by name, as source that isolates begin with.
 *
 * Written from what Riak's documentation and `http-api` notes say of each, oddities included: a limit
 * keeps one fewer than it is asked for, and a slice beyond the end keeps everything.
 */

export const RIAK_FUNCTIONS = `
var ejsLog = function () {};
var Riak = (function () {
  'use strict';
  var isMissing = function (value) {
    return typeof value === 'object' && value !== null && value.not_found !== undefined;
  };
  var found = function (values) {
    return values.filter(function (value) { return !isMissing(value); });
  };
  var mapValues = function (object) {
    if (isMissing(object)) return [object];
    var data = object.values[0].data;
    return Array.isArray(data) ? data : [data];
  };
  var mapValuesJson = function (object) {
    if (isMissing(object)) return [object];
    return mapValues(object).map(function (text) { return JSON.parse(text); });
  };
  var mapByFields = function (object, keyData, fields) {
    if (isMissing(object)) return [];
    var value = mapValuesJson(object)[0];
    for (var name in fields) {
      if (value[name] != fields[name]) return [];
    }
    return [value];
  };
  var reduceBy = function (choose) {
    return function (values) {
      return values.length === 0 ? [] : [values.reduce(choose)];
    };
  };
  var byNumber = function (left, right) { return left - right; };
  return {
    filterNotFound: found,
    mapValues: mapValues,
    mapValuesJson: mapValuesJson,
    mapByFields: mapByFields,
    reduceSum: function (values) {
      var numbers = found(values);
      if (numbers.length === 0) return [0];
      return [numbers.reduce(function (sum, value) { return sum + value; })];
    },
    reduceMin: reduceBy(function (least, value) { return least < value ? least : value; }),
    reduceMax: reduceBy(function (most, value) { return most > value ? most : value; }),
    reduceSort: function (values, arg) {
      try {
        return values.sort((0, eval)('(' + arg + ')'));
      } catch (error) {
        return values.sort();
      }
    },
    reduceNumericSort: function (values) { return values.sort(byNumber); },
    reduceLimit: function (values, arg) { return values.slice(0, arg - 1); },
    reduceSlice: function (values, arg) {
      return arg[1] > values.length ? values : values.slice(arg[0], arg[1]);
    }
  };
})();
`;
