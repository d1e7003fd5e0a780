//! Immediate dominators of a directed graph.
//!
//! A node dominates another when every way from the start to that one leads through it; the immediate dominator is the
//! nearest. Source: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001): sets are intersected along the
//! tree that is being made, in reverse postorder, until nothing changes. Cycles are allowed.

/// The immediate dominator of each node, by number; `None` for node 0, the start, and for what cannot be reached.
pub(crate) fn immediate_dominators(successors: &[Vec<usize>]) -> Vec<Option<usize>> {
    let order = postorder(successors);
    let mut rank = vec![None; successors.len()];
    for (position, &node) in order.iter().enumerate() {
        rank[node] = Some(position);
    }
    let mut predecessors = vec![Vec::new(); successors.len()];
    for &node in &order {
        for &next in &successors[node] {
            predecessors[next].push(node);
        }
    }
    let mut dominator: Vec<Option<usize>> = vec![None; successors.len()];
    let Some(&start) = order.last() else {
        return dominator;
    };
    dominator[start] = Some(start);
    let mut changed = true;
    while changed {
        changed = false;
        for &node in order.iter().rev().skip(1) {
            let known = predecessors[node].iter().copied().filter(|&before| dominator[before].is_some());
            let nearest = known.reduce(|one, other| meet(one, other, &dominator, &rank));
            if dominator[node] != nearest {
                dominator[node] = nearest;
                changed = true;
            }
        }
    }
    dominator[start] = None;
    dominator
}

/// Where the ways of two nodes to the start come together.
fn meet(mut one: usize, mut other: usize, dominator: &[Option<usize>], rank: &[Option<usize>]) -> usize {
    // Whoever is further from the start moves; the start itself has the highest rank.
    while one != other {
        let far = if rank[one] < rank[other] { &mut one } else { &mut other };
        match dominator[*far] {
            Some(nearer) => *far = nearer,
            None => break,
        }
    }
    one
}

/// What node 0 reaches, each node after what it leads to but for cycles.
fn postorder(successors: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut seen = vec![false; successors.len()];
    if successors.is_empty() {
        return order;
    }
    seen[0] = true;
    let mut stack = vec![(0, successors[0].iter())];
    while let Some((node, rest)) = stack.last_mut() {
        match rest.next() {
            Some(&next) if seen[next] => {}
            Some(&next) => {
                seen[next] = true;
                stack.push((next, successors[next].iter()));
            }
            None => {
                order.push(*node);
                stack.pop();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::immediate_dominators;

    #[test]
    fn a_diamond_belongs_to_where_it_opens() {
        // 0 → 1 → {2, 3} → 4 → 5
        let graph = [vec![1], vec![2, 3], vec![4], vec![4], vec![5], vec![]];
        let expected = [None, Some(0), Some(1), Some(1), Some(1), Some(4)];
        assert_eq!(immediate_dominators(&graph), expected);
    }

    #[test]
    fn a_second_way_from_the_start_frees_a_node() {
        let graph = [vec![1, 2], vec![2], vec![]];
        assert_eq!(immediate_dominators(&graph), [None, Some(0), Some(0)]);
    }

    #[test]
    fn cycles_and_what_nobody_reaches_are_no_harm() {
        // 1 and 2 need one another and are reached both ways; 4 reaches 3 but nothing reaches 4.
        let graph = [vec![1, 2], vec![2, 3], vec![1], vec![3], vec![3]];
        assert_eq!(immediate_dominators(&graph), [None, Some(0), Some(0), Some(1), None]);
        assert_eq!(immediate_dominators(&[]), []);
    }

    /// The paper's example of a graph that takes more than one round.
    #[test]
    fn an_irreducible_graph_is_right_too() {
        let graph = [vec![1, 2], vec![3], vec![4, 5], vec![4], vec![3, 5], vec![4]];
        assert_eq!(immediate_dominators(&graph), [None, Some(0), Some(0), Some(0), Some(0), Some(0)]);
    }

    /// Against the definition: a dominates b when b cannot be reached without a.
    #[test]
    fn agrees_with_the_definition_on_many_graphs() {
        let mut state = 1_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        for _ in 0..200 {
            let count = 2 + draw(9);
            let mut graph = vec![Vec::new(); count];
            for _ in 0..count * 2 {
                let (from, to) = (draw(count), draw(count));
                graph[from].push(to);
            }
            let found = immediate_dominators(&graph);
            let all = reached(&graph, None);
            for node in (1..count).filter(|&node| all[node]) {
                let strict: Vec<usize> = (0..count)
                    .filter(|&other| other != node && all[other] && !reached(&graph, Some(other))[node])
                    .collect();
                let depth = |mut node: usize| {
                    let mut depth = 0;
                    while let Some(above) = found[node] {
                        (node, depth) = (above, depth + 1);
                    }
                    depth
                };
                assert_eq!(depth(node), strict.len(), "{graph:?}: {node}");
                assert!(strict.contains(&found[node].unwrap()), "{graph:?}: {node}");
            }
        }
    }

    fn reached(graph: &[Vec<usize>], without: Option<usize>) -> Vec<bool> {
        let mut seen = vec![false; graph.len()];
        let mut queue: Vec<usize> = (without != Some(0)).then_some(0).into_iter().collect();
        while let Some(node) = queue.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                queue.extend(graph[node].iter().copied().filter(|&next| without != Some(next)));
            }
        }
        seen
    }
}
