//! `modules.itertools`: the parts that work on lists.

use minijinja::value::Tuple;
use minijinja::{Error, State, Value};

use crate::jinja::collections::List;
use crate::jinja::error::runtime;
use crate::jinja::functions::{Arguments, Body, Group};
use crate::jinja::limits;

const FUNCTIONS: [(&str, Body); 9] = [
    ("chain", chain),
    ("product", product),
    ("combinations", combinations),
    ("permutations", permutations),
    ("repeat", repeat),
    ("islice", islice),
    ("zip_longest", zip_longest),
    ("accumulate", accumulate),
    ("starmap", starmap),
];

pub fn module() -> Value {
    Group::functions("itertools", &FUNCTIONS)
}

fn lists(args: &Arguments) -> Result<Vec<Vec<Value>>, Error> {
    args.positional.iter().map(|list| Ok(list.try_iter()?.collect())).collect()
}

fn tuples(rows: Vec<Vec<Value>>) -> Result<Value, Error> {
    List::value(rows.into_iter().map(|row| Value::from(Tuple::from(row))).collect())
}

fn chain(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    List::value(lists(&args)?.concat())
}

fn product(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let mut pools = lists(&args)?;
    if let Some(count) = args.keyword("repeat") {
        let count = limits::width(usize::try_from(count)?)?;
        pools = (0..count).flat_map(|_| pools.clone()).collect();
    }
    let mut rows = vec![Vec::new()];
    for pool in pools {
        limits::length(rows.len().saturating_mul(pool.len()))?;
        rows = rows
            .iter()
            .flat_map(|row| pool.iter().map(move |item| [row.clone(), vec![item.clone()]].concat()))
            .collect();
    }
    tuples(rows)
}

/// Picks of `count` items; each item once, in order or in every order.
fn picks(items: &[Value], count: usize, ordered: bool) -> Result<Vec<Vec<Value>>, Error> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..count {
        limits::length(rows.len().saturating_mul(items.len()))?;
        let fits = |row: &[usize], at: usize| {
            if ordered { row.last().is_none_or(|last| *last < at) } else { !row.contains(&at) }
        };
        rows = rows
            .iter()
            .flat_map(|row| {
                (0..items.len())
                    .filter(|at| fits(row, *at))
                    .map(|at| [row.clone(), vec![at]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    Ok(rows.into_iter().map(|row| row.into_iter().map(|at| items[at].clone()).collect()).collect())
}

fn combinations(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let items: Vec<Value> = args.required(0)?.try_iter()?.collect();
    let count = usize::try_from(args.value(1, "r")?)?;
    tuples(picks(&items, count, true)?)
}

fn permutations(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let items: Vec<Value> = args.required(0)?.try_iter()?.collect();
    let count = args.get(1, "r").map_or(Ok(items.len()), usize::try_from)?;
    tuples(picks(&items, count, false)?)
}

fn repeat(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let item = args.required(0)?;
    let count = args.get(1, "times").ok_or_else(|| runtime("`repeat` needs `times`, or it would never end"))?;
    List::value(vec![item; limits::width(usize::try_from(count)?)?])
}

fn islice(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (start, stop) = match args.positional.len() {
        2 => (0, args.int(1, 0)?),
        _ => (args.int(1, 0)?, args.int(2, 0)?),
    };
    let (start, stop) = (start.max(0) as usize, stop.max(0) as usize);
    List::value(args.required(0)?.try_iter()?.skip(start).take(stop.saturating_sub(start)).collect())
}

fn zip_longest(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let lists = lists(&args)?;
    let fill = args.keyword("fillvalue").unwrap_or_else(|| Value::from(()));
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| lists.iter().map(|list| list.get(at).unwrap_or(&fill).clone()).collect();
    tuples((0..longest).map(row).collect())
}

fn accumulate(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let mut total: Option<Value> = None;
    let mut out = Vec::new();
    for item in args.required(0)?.try_iter()? {
        let next = match total {
            None => item,
            Some(total) => crate::jinja::operators::add(state, Arguments::new("accumulate", &[total, item]))?,
        };
        out.push(next.clone());
        total = Some(next);
    }
    List::value(out)
}

fn starmap(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let function = args.required(0)?;
    let rows: Vec<Value> = args.required(1)?.try_iter()?.collect();
    let results = rows.iter().map(|row| function.call(state, &row.try_iter()?.collect::<Vec<_>>()));
    List::value(results.collect::<Result<_, _>>()?)
}
