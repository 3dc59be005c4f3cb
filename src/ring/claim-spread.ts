/**
 * Spreading from nothing: a ring in which equal items stand as far apart as can be.
 *
 * Items that stand in a circle `length` long, the most frequent k times, cannot all be further apart
 * than floor(length / k). This layout reaches that bound: write the items, those with k copies first,
 * column by column into a table of k rows, and read it row by row. An item's copies fill neighbouring
 * rows of one column, or of two with at least one row left out; so two copies are never closer than
 * one row's length, the seam from the last row to the first included.
 */

import { assert } from '../base/fault.ts';

/** Something that is wanted `count` times in the circle. */
export interface SpreadItem {
  readonly item: number;
  /** From 0. */
  readonly count: number;
}

/** A circle of the items, each as often as its count; ties keep the order given. */
export function spread(items: readonly SpreadItem[]): number[] {
  const wanted = items.filter(({ count }) => count > 0);
  const length = wanted.reduce((sum, { count }) => sum + count, 0);
  const rowCount = wanted.reduce((most, { count }) => Math.max(most, count), 0);
  if (rowCount === 0) return [];
  // The sort is stable, and only whether an item fills a column matters.
  const fullColumnsFirst = [
    ...wanted.filter(({ count }) => count === rowCount),
    ...wanted.filter(({ count }) => count < rowCount),
  ];
  const columnMajor = fullColumnsFirst.flatMap(({ item, count }) =>
    Array.from({ length: count }, () => item),
  );
  return readRows(columnMajor, rowCount, length);
}

function readRows(columnMajor: readonly number[], rowCount: number, length: number): number[] {
  const circle: number[] = [];
  for (let row = 0; row < rowCount; row += 1) {
    for (let index = row; index < length; index += rowCount) {
      const item = columnMajor[index];
      assert(item !== undefined, 'the table holds every item');
      circle.push(item);
    }
  }
  return circle;
}

export interface SpreadNode {
  readonly node: number;
  readonly location: number;
  readonly count: number;
}

/** Nodes as far apart as can be; neighbours from different locations as far as that leaves room. */
export function spreadNodes(nodes: readonly SpreadNode[]): number[] {
  const items = interleaveLocations(nodes).map(({ node, count }) => ({ item: node, count }));
  return spread(items);
}

/** Locations as far apart as can be, and inside each location its nodes. */
export function spreadLocations(nodes: readonly SpreadNode[]): number[] {
  const nodesByLocation = groupByLocation(nodes);
  const circle = spread(
    [...nodesByLocation].map(([location, members]) => ({
      item: location,
      count: members.reduce((sum, { count }) => sum + count, 0),
    })),
  );
  const turnsByLocation = new Map(
    [...nodesByLocation].map(([location, members]) => [location, spreadNodes(members).values()]),
  );
  return circle.map((location) => {
    const turn = turnsByLocation.get(location)?.next().value;
    assert(turn !== undefined, 'a location has as many turns as its nodes have partitions');
    return turn;
  });
}

/** One node from each location in turn, until all are taken. */
function interleaveLocations(nodes: readonly SpreadNode[]): SpreadNode[] {
  const groups = [...groupByLocation(nodes).values()];
  const rounds = groups.reduce((most, group) => Math.max(most, group.length), 0);
  const mixed: SpreadNode[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const group of groups) {
      const node = group[round];
      if (node !== undefined) mixed.push(node);
    }
  }
  return mixed;
}

function groupByLocation(nodes: readonly SpreadNode[]): Map<number, SpreadNode[]> {
  const nodesByLocation = new Map<number, SpreadNode[]>();
  for (const node of nodes) {
    const group = nodesByLocation.get(node.location);
    if (group === undefined) nodesByLocation.set(node.location, [node]);
    else group.push(node);
  }
  return nodesByLocation;
}
