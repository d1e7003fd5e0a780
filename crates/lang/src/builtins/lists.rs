//! Lists.

use std::cell::Cell;

use hashbrown::HashMap;

use crate::builtins::Table;
use crate::error::{Error, Res};
use crate::eval::Eval;
use crate::value::{List, Place, Slot, Value};

pub(super) const TABLE: Table = &[
    ("all", 2, |e, a| any_all(e, a, false)),
    ("any", 2, |e, a| any_all(e, a, true)),
    ("concatLists", 1, |e, a| {
        let lists = e.force_list(a[0])?;
        let lists = lists.iter().map(|l| e.force_list(l)).collect::<Res<Vec<_>>>()?;
        Ok(concat(e, &lists))
    }),
    ("concatMap", 2, |e, a| {
        let f = e.force_function(a[0])?;
        let list = e.force_list(a[1])?;
        let lists = list.iter().map(|x| e.force_list(e.call(f, &[x])?)).collect::<Res<Vec<_>>>()?;
        Ok(concat(e, &lists))
    }),
    ("elem", 2, |e, a| {
        for item in e.force_list(a[1])?.iter() {
            if e.equal(a[0], item)? {
                return Ok(Value::bool(true));
            }
        }
        Ok(Value::bool(false))
    }),
    ("elemAt", 2, elem_at),
    ("filter", 2, filter),
    ("foldl'", 3, fold),
    ("genList", 2, gen_list),
    ("genericClosure", 1, generic_closure),
    ("groupBy", 2, group_by),
    ("head", 1, |e, a| match e.force_list(a[0])?.get(0) {
        Some(first) => e.force(first),
        None => Err(Error::eval("'builtins.head' called on an empty list")),
    }),
    ("length", 1, |e, a| Ok(int(e.force_list(a[0])?.len()))),
    ("map", 2, map),
    ("partition", 2, partition),
    ("sort", 2, sort),
    ("tail", 1, |e, a| {
        let list = e.force_list(a[0])?;
        if list.is_empty() {
            return Err(Error::eval("'builtins.tail' called on an empty list"));
        }
        Ok(if list.len() == 1 { e.empty_list() } else { e.slots(&list.items[1..]) })
    }),
];

pub(crate) fn int<'a>(n: usize) -> Value<'a> {
    // No length exceeds the address space.
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn concat<'a>(eval: &Eval<'a>, lists: &[&'a List<'a>]) -> Value<'a> {
    let mut filled = lists.iter().filter(|l| !l.is_empty());
    if let (Some(only), None) = (filled.next(), filled.next()) {
        return Value::List(only);
    }
    let values: Vec<Value<'a>> = lists.iter().flat_map(|l| l.iter()).collect();
    eval.list(values)
}

fn any_all<'a>(eval: &Eval<'a>, args: &[Value<'a>], wanted: bool) -> Res<Value<'a>> {
    let f = eval.force_function(args[0])?;
    for item in eval.force_list(args[1])?.iter() {
        if eval.force_bool(eval.call(f, &[item])?)? == wanted {
            return Ok(Value::bool(wanted));
        }
    }
    Ok(Value::bool(!wanted))
}

fn elem_at<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let index = eval.force_int(args[1])?;
    let list = eval.force_list(args[0])?;
    match usize::try_from(index).ok().and_then(|i| list.get(i)) {
        Some(value) => eval.force(value),
        None => {
            Err(Error::eval(format!("'builtins.elemAt' called with index {index} on a list of size {}", list.len())))
        }
    }
}

fn filter<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let list = eval.force_list(args[1])?;
    if list.is_empty() {
        return Ok(Value::List(list));
    }
    let f = eval.force_function(args[0])?;
    // A byte for each element, not a value: long lists are what needs most memory.
    let mut is_kept = Vec::with_capacity(list.len());
    for item in list.iter() {
        is_kept.push(eval.force_bool(eval.call(f, &[item])?)?);
    }
    let count = is_kept.iter().filter(|kept| **kept).count();
    if count == list.len() {
        return Ok(Value::List(list));
    }
    if count == 0 {
        return Ok(eval.empty_list());
    }
    let mut kept = list.iter().zip(is_kept).filter(|(_, kept)| *kept).map(|(item, _)| Slot::new(item.peek()));
    Ok(eval.slots(eval.bump().alloc_slice_fill_with(count, |_| kept.next().unwrap_or_else(|| Slot::new(Value::Null)))))
}

fn fold<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let f = eval.force_function(args[0])?;
    let list = eval.force_list(args[2])?;
    let mut acc = args[1];
    for item in list.iter() {
        acc = eval.call(f, &[acc, item])?;
    }
    eval.force(acc)
}

fn gen_list<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let len = eval.force_int(args[1])?;
    let Ok(count) = u32::try_from(len) else {
        let what = if len < 0 { "cannot create list of size" } else { "cannot create so long a list, size" };
        return Err(Error::eval(format!("{what} {len}")));
    };
    let f = eval.force_function(args[0])?;
    if count == 0 {
        return Ok(eval.empty_list());
    }
    let calls = &*eval.bump().alloc((f, Place::default()));
    let items = &*eval.bump().alloc_slice_fill_with(count as usize, |i| {
        Slot::new(eval.computed(f, int(i)).unwrap_or(Value::Generate(calls)))
    });
    calls.1.set(items);
    Ok(eval.slots(items))
}

fn map<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let list = eval.force_list(args[1])?;
    if list.is_empty() {
        return Ok(Value::List(list));
    }
    let calls = &*eval.bump().alloc((eval.force_function(args[0])?, list, Place::default()));
    let items = &*eval.bump().alloc_slice_fill_with(list.len(), |_| Slot::new(Value::Map(calls)));
    calls.2.set(items);
    Ok(eval.slots(items))
}

fn partition<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let f = eval.force_function(args[0])?;
    let (mut right, mut wrong) = (Vec::new(), Vec::new());
    for item in eval.force_list(args[1])?.iter() {
        if eval.force_bool(eval.call(f, &[item])?)? { right.push(item) } else { wrong.push(item) }
    }
    Ok(eval.attrs().entry("right", eval.list(right)).entry("wrong", eval.list(wrong)).finish())
}

fn group_by<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let f = eval.force_function(args[0])?;
    let mut order = Vec::new();
    let mut groups: HashMap<syntax::Sym, Vec<Value<'a>>> = HashMap::new();
    for item in eval.force_list(args[1])?.iter() {
        let name = eval.attr_name(eval.call(f, &[item])?)?;
        let group = groups.entry(name).or_default();
        if group.is_empty() {
            order.push(name);
        }
        group.push(item);
    }
    let mut set = eval.attrs();
    for name in order {
        if let Some(group) = groups.remove(&name) {
            set.insert(name, diagnostics::Pos::NONE, eval.list(group));
        }
    }
    Ok(set.finish())
}

fn sort<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let list = eval.force_list(args[1])?;
    if list.is_empty() {
        return Ok(Value::List(list));
    }
    let f = eval.force_function(args[0])?;
    let mut items = list.iter().map(|v| eval.force(v)).collect::<Res<Vec<_>>>()?;
    // Sorting cannot be left early: the first error is kept, and everything is equal from then on.
    let failed: Cell<Option<Error>> = Cell::new(None);
    let less = |a: Value<'a>, b: Value<'a>| -> Res<bool> {
        match f {
            Value::Native(n) if n.name == "__lessThan" => eval.less(a, b),
            _ => eval.force_bool(eval.call(f, &[a, b])?),
        }
    };
    let mut broken = false;
    merge_sort(&mut items, &mut |a, b| {
        if broken {
            return false;
        }
        match less(a, b) {
            Ok(is_less) => is_less,
            Err(error) => {
                broken = true;
                failed.set(Some(error));
                false
            }
        }
    });
    match failed.into_inner() {
        Some(error) => Err(error),
        None => Ok(eval.list(items)),
    }
}

/// A stable merge sort that needs no consistent order: comparators of the language may be anything.
fn merge_sort<'a>(items: &mut Vec<Value<'a>>, less: &mut impl FnMut(Value<'a>, Value<'a>) -> bool) {
    const RUN: usize = 8;
    let len = items.len();
    for start in (0..len).step_by(RUN) {
        let end = (start + RUN).min(len);
        for i in start + 1..end {
            let mut j = i;
            while j > start && less(items[j], items[j - 1]) {
                items.swap(j, j - 1);
                j -= 1;
            }
        }
    }
    let mut buffer: Vec<Value<'a>> = Vec::with_capacity(len);
    let mut width = RUN;
    while width < len {
        buffer.clear();
        for start in (0..len).step_by(2 * width) {
            let middle = (start + width).min(len);
            let end = (start + 2 * width).min(len);
            let (mut i, mut j) = (start, middle);
            while i < middle && j < end {
                if less(items[j], items[i]) {
                    buffer.push(items[j]);
                    j += 1;
                } else {
                    buffer.push(items[i]);
                    i += 1;
                }
            }
            buffer.extend_from_slice(&items[i..middle]);
            buffer.extend_from_slice(&items[j..end]);
        }
        std::mem::swap(items, &mut buffer);
        width *= 2;
    }
}

/// Keys already seen, by hash where the kind of key has one.
#[derive(Default)]
struct Seen<'a> {
    ints: hashbrown::HashSet<i64>,
    strings: hashbrown::HashSet<&'a [u8]>,
    others: Vec<Value<'a>>,
    kind: Option<&'static str>,
    has_floats: bool,
}

impl<'a> Seen<'a> {
    /// Whether the key is new.
    fn insert(&mut self, eval: &Eval<'a>, key: Value<'a>) -> Res<bool> {
        let kind = key.type_name();
        match (self.kind, kind) {
            (None, _) => self.kind = Some(kind),
            (Some(known), kind) if known == kind => {}
            (Some("int" | "float"), "int" | "float") => {}
            // Comparing keys of different kinds is the reference's error.
            (Some(_), _) => {
                let other = self.example();
                eval.less(key, other)?;
            }
        }
        match key {
            Value::Int(n) if !self.has_floats => Ok(self.ints.insert(n)),
            Value::Float(_) if !self.has_floats => {
                // From here on integers are compared with floats.
                self.has_floats = true;
                let mut ints: Vec<i64> = self.ints.drain().collect();
                ints.sort_unstable();
                self.others = ints.into_iter().map(Value::Int).collect();
                self.insert_ordered(eval, key)
            }
            Value::String(s) => Ok(self.strings.insert(s.as_bytes())),
            Value::Path(p) => Ok(self.strings.insert(p.as_bytes())),
            other => self.insert_ordered(eval, other),
        }
    }

    fn example(&self) -> Value<'a> {
        match self.kind {
            Some("int") => Value::Int(0),
            Some("float") => Value::float(0.0),
            Some("bool") => Value::bool(false),
            _ => self.others.first().copied().unwrap_or(Value::Null),
        }
    }

    fn insert_ordered(&mut self, eval: &Eval<'a>, key: Value<'a>) -> Res<bool> {
        let mut low = 0;
        let mut high = self.others.len();
        while low < high {
            let middle = usize::midpoint(low, high);
            if eval.less(self.others[middle], key)? {
                low = middle + 1;
            } else if eval.less(key, self.others[middle])? {
                high = middle;
            } else {
                return Ok(false);
            }
        }
        self.others.insert(low, key);
        Ok(true)
    }
}

fn generic_closure<'a>(eval: &Eval<'a>, args: &[Value<'a>]) -> Res<Value<'a>> {
    let set = eval.force_attrs(args[0])?;
    let need = |name| set.get(name).map(crate::Attr::value).ok_or_else(|| missing(eval, name, set));
    let start = eval.force_list(need(eval.names.start_set)?)?;
    if start.is_empty() {
        return Ok(eval.empty_list());
    }
    let operator = eval.force_function(need(eval.names.operator)?)?;
    // Lists and how much of each was looked at: a third of the memory that their elements would take.
    let mut work = std::collections::VecDeque::from([start]);
    let mut at = 0;
    let mut result = Vec::new();
    let mut seen = Seen::default();
    while let Some(list) = work.front() {
        let Some(item) = list.get(at) else {
            work.pop_front();
            at = 0;
            continue;
        };
        at += 1;
        let item = eval.force(item)?;
        let attrs = eval.force_attrs(item)?;
        let key = attrs.get(eval.names.key).ok_or_else(|| missing(eval, eval.names.key, attrs))?;
        if !seen.insert(eval, eval.force(key.value())?)? {
            continue;
        }
        result.push(item);
        let more = eval.force_list(eval.call(operator, &[item])?)?;
        for next in more.iter() {
            eval.force(next)?;
        }
        work.push_back(more);
    }
    Ok(eval.list(result))
}

fn missing<'a>(eval: &Eval<'a>, name: syntax::Sym, set: &'a crate::Attrs<'a>) -> Error {
    Error::missing_attribute(eval, eval.symbols().bytes(name), diagnostics::Span::NONE, set)
}
