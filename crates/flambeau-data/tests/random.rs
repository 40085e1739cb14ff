//! Random samplers, splits, sets made of sets and loaders against PyTorch's: `goldens/random_data.py` of flambeau-testkit drew and
//! ran them. One test, since all draw from the default generator.

use flambeau_autograd::Tensor;
use flambeau_data::*;
use flambeau_device::default_generator;
use flambeau_tensor::Device;
use flambeau_tensor::random::Generator;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn rows() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flambeau-testkit/goldens/data/random_data.jsonl.gz");
    let mut text = String::new();
    let file = std::fs::File::open(path).expect("goldens of data");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn catch<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not a text").to_owned()
    })
}

/// The sample i is `first` + i.
struct Numbers {
    n: usize,
    first: i64,
}

impl Dataset for Numbers {
    type Item = i64;
    fn len(&self) -> usize {
        self.n
    }
    fn get(&self, index: usize) -> Result<i64> {
        Ok(self.first + index as i64)
    }
}

/// The samples 0 … n - 1, one after the other; it may know its length.
struct Stream {
    n: usize,
    measured: bool,
}

impl IterableDataset for Stream {
    type Item = i64;
    fn iter(&self) -> impl Iterator<Item = Result<i64>> + Send {
        (0..self.n as i64).map(Ok)
    }
    fn len(&self) -> Option<usize> {
        self.measured.then_some(self.n)
    }
}

fn ints(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
}

fn generator(value: &Value) -> Option<Generator> {
    value.as_u64().map(|seed| Generator::new().manual_seed(seed))
}

/// Sets an option that is given.
fn set<O, T>(options: O, value: Option<T>, setter: impl FnOnce(O, T) -> O) -> O {
    match value {
        Some(value) => setter(options, value),
        None => options,
    }
}

/// A row's sampler; with a distributed one also its handle.
fn sampler(spec: &Value, dataset: &Numbers) -> (Box<dyn Sampler>, Option<DistributedSampler>) {
    let int = |name: &str| spec.get(name).and_then(Value::as_i64);
    let flag = |name: &str| spec.get(name).and_then(Value::as_bool);
    let stream = generator(&spec["seed"]);
    (
        match spec["kind"].as_str().unwrap() {
            "random" => Box::new(RandomSampler::with(dataset, |o| {
                let o = set(o, flag("replacement"), RandomSamplerOptions::replacement);
                let o = set(o, int("num_samples"), RandomSamplerOptions::num_samples);
                set(o, stream.as_ref(), RandomSamplerOptions::generator)
            })),
            "subset" => Box::new(SubsetRandomSampler::with(ints(&spec["indices"]), |o| {
                set(o, stream.as_ref(), SubsetRandomSamplerOptions::generator)
            })),
            "weighted" => {
                let weights: Vec<f64> =
                    spec["weights"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
                Box::new(WeightedRandomSampler::with(weights, int("num_samples").unwrap(), |o| {
                    let o = set(o, flag("replacement"), WeightedRandomSamplerOptions::replacement);
                    set(o, stream.as_ref(), WeightedRandomSamplerOptions::generator)
                }))
            }
            "distributed" => {
                let sampler = DistributedSampler::with(dataset, |o| {
                    let o = set(o, int("num_replicas"), DistributedSamplerOptions::num_replicas);
                    let o = set(o, int("rank"), DistributedSamplerOptions::rank);
                    let o = set(o, flag("shuffle"), DistributedSamplerOptions::shuffle);
                    let o = set(o, int("seed"), DistributedSamplerOptions::seed);
                    set(o, flag("drop_last"), DistributedSamplerOptions::drop_last)
                });
                return (Box::new(sampler.clone()), Some(sampler));
            }
            "list" => ints(&spec["indices"]).into_sampler(),
            _ => Box::new(SequentialSampler::new(dataset)),
        },
        None,
    )
}

/// The next number of the default stream: how much was drawn.
fn next() -> i64 {
    flambeau_autograd::randint(0, 1_000_000, [0_i64; 0]).item() as i64
}

/// What a row yields, in the row's own words.
fn sampler_row(row: &Value) {
    let dataset = Numbers { n: row["n"].as_u64().unwrap() as usize, first: 0 };
    let spec = &row["sampler"];
    let (made, distributed) = sampler(spec, &dataset);
    let batch = row.get("batch").map(|batch| (batch[0].as_i64().unwrap(), batch[1].as_bool().unwrap()));
    let epochs = spec.get("epochs").map_or(vec![0, 0], ints);
    let set_epoch = |epoch| {
        if let Some(sampler) = &distributed {
            sampler.set_epoch(epoch);
        }
    };
    let mut passes: Vec<Value> = Vec::new();
    let len = if let Some((size, drop_last)) = batch {
        let made = BatchSampler::new(made, size, drop_last);
        for epoch in epochs {
            set_epoch(epoch);
            passes.push(made.iter().collect::<Vec<_>>().into());
        }
        made.len()
    } else {
        for epoch in epochs {
            set_epoch(epoch);
            passes.push(made.iter().collect::<Vec<_>>().into());
        }
        made.len()
    };
    assert_eq!((len as u64, Value::from(passes)), (row["len"].as_u64().unwrap(), row["passes"].clone()));
    assert_eq!(next(), row["next"].as_i64().unwrap(), "how much was drawn");
}

fn split_row(row: &Value) {
    let dataset = Numbers { n: row["n"].as_u64().unwrap() as usize, first: 0 };
    let lengths = row["lengths"].as_array().unwrap();
    let stream = generator(&row["seed"]);
    let options = |o: RandomSplitOptions| set(o, stream.as_ref(), RandomSplitOptions::generator);
    let parts = if lengths.iter().all(Value::is_i64) {
        random_split_with(dataset, ints(&row["lengths"]), options)
    } else {
        let shares: Vec<f64> = lengths.iter().map(|x| x.as_f64().unwrap()).collect();
        random_split_with(dataset, shares, options)
    };
    let parts: Vec<Value> = parts.iter().map(|part| part.indices().to_vec().into()).collect();
    assert_eq!(Value::from(parts), row["parts"]);
}

/// Python's print of each sample.
fn texts<D: Dataset>(dataset: &D, text: impl Fn(D::Item) -> String) -> (Vec<String>, Option<usize>) {
    ((0..dataset.len()).map(|i| text(dataset.get(i).unwrap())).collect(), Some(dataset.len()))
}

fn joined<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|x| x.to_string()).collect::<Vec<_>>().join(", ")
}

fn sets_row(row: &Value) {
    let lengths = ints(&row["lengths"]);
    let mut numbers = lengths.iter().enumerate().map(|(k, &n)| Numbers { n: n as usize, first: 10 * k as i64 });
    let (samples, len) = match (row["kind"].as_str().unwrap(), lengths.len()) {
        ("concat", _) => texts(&ConcatDataset::new(numbers), |x| x.to_string()),
        ("named", _) => {
            let named = StackDataset::named(["a", "b", "c"].into_iter().zip(numbers));
            texts(&named, |map: BTreeMap<String, i64>| {
                format!("{{{}}}", joined(map.iter().map(|(k, v)| format!("'{k}': {v}"))))
            })
        }
        ("stack", 1) => texts(&StackDataset::new((numbers.next().unwrap(),)), |(a,)| format!("({a},)")),
        ("stack", n) => {
            let mut one = || numbers.next().unwrap();
            match n {
                2 => texts(&StackDataset::new((one(), one())), |(a, b)| format!("({a}, {b})")),
                _ => texts(&StackDataset::new((one(), one(), one())), |(a, b, c)| format!("({a}, {b}, {c})")),
            }
        }
        _ => {
            let measured = row["measured"].as_array().unwrap().iter().map(|m| m.as_bool().unwrap());
            let streams = lengths.iter().zip(measured).map(|(&n, measured)| Stream { n: n as usize, measured });
            let chain = ChainDataset::new(streams);
            (chain.iter().map(|x| x.unwrap().to_string()).collect(), chain.len())
        }
    };
    assert_eq!(Value::from(samples), row["samples"]);
    match len {
        Some(len) => assert_eq!(Some(len as u64), row["len"].as_u64()),
        // PyTorch's length of a chain is an error where a stream has none.
        None => panic!("object of type 'Stream' has no len()"),
    }
}

/// A batch as JSON.
trait Json {
    fn json(&self) -> Value;
}
impl Json for Tensor {
    fn json(&self) -> Value {
        self.to_vec::<i64>().into()
    }
}
impl Json for i64 {
    fn json(&self) -> Value {
        (*self).into()
    }
}

fn options<D: Samples<K>, B, K>(row: &Value, options: DataLoaderOptions<D, B, K>) -> DataLoaderOptions<D, B, K> {
    let args = &row["args"];
    let int = |name: &str| args.get(name).and_then(Value::as_i64);
    let flag = |name: &str| args.get(name).and_then(Value::as_bool);
    let o = set(options, int("batch_size"), DataLoaderOptions::batch_size);
    let o = set(o, flag("shuffle"), DataLoaderOptions::shuffle);
    let o = set(o, flag("drop_last"), DataLoaderOptions::drop_last);
    let o = set(o, int("num_workers"), DataLoaderOptions::num_workers);
    let o = set(o, int("timeout"), DataLoaderOptions::timeout);
    let o = set(o, int("prefetch_factor"), DataLoaderOptions::prefetch_factor);
    let o = set(o, flag("persistent_workers"), DataLoaderOptions::persistent_workers);
    let o = set(o, flag("pin_memory"), DataLoaderOptions::pin_memory);
    let o = set(o, flag("in_order"), DataLoaderOptions::in_order);
    let o = set(o, args.get("multiprocessing_context").and_then(Value::as_str), |o, m| o.multiprocessing_context(m));
    let stream = args.get("generator").and_then(generator);
    let o = set(o, stream.as_ref(), DataLoaderOptions::generator);
    let numbers = Numbers { n: row["n"].as_u64().unwrap() as usize, first: 0 };
    let o = set(o, row.get("sampler").map(|spec| sampler(spec, &numbers).0), DataLoaderOptions::sampler);
    let batches = row.get("batch_sampler").map(|list| list.as_array().unwrap().iter().map(ints).collect::<Vec<_>>());
    set(o, batches, DataLoaderOptions::batch_sampler)
}

fn loader_row(row: &Value) {
    fn run<D, B: Json + Send + 'static>(loader: &DataLoader<D, B>, row: &Value)
    where
        D: Send + Sync + 'static,
    {
        match row.get("no_len").and_then(Value::as_str) {
            Some(_) => assert_eq!(catch(|| loader.len()), Err("object of type 'Stream' has no len()".into())),
            None => assert_eq!(Some(loader.len() as u64), row["len"].as_u64()),
        }
        if loader.num_workers() > 0 {
            return;
        }
        let pass = |_| Value::from(loader.iter().map(|batch| batch.json()).collect::<Vec<_>>());
        let passes: Vec<Value> = (0..2).map(pass).collect();
        assert_eq!(Value::from(passes), row["passes"]);
        assert_eq!(next(), row["next"].as_i64().unwrap(), "how much was drawn");
    }
    fn both<D: Samples<K, Sample = i64>, K>(dataset: D, row: &Value) {
        if row["args"].get("batch_size").is_some_and(Value::is_null) {
            run(&DataLoader::with(dataset, |o| options(row, o).unbatched()), row);
        } else {
            run(&DataLoader::with(dataset, |o| options(row, o)), row);
        }
    }
    let n = row["n"].as_u64().unwrap() as usize;
    match row["kind"].as_str().unwrap() {
        "map" => both(Numbers { n, first: 0 }, row),
        "list" => both((0..n as i64).collect::<Vec<_>>(), row),
        kind => both(Stream { n, measured: kind == "measured" }, row),
    }
}

#[test]
fn random_data_are_pytorchs() {
    let (mut failures, mut ran, mut refused) = (Vec::new(), BTreeMap::<String, usize>::new(), 0);
    let mut seeds = BTreeMap::<String, u64>::new();
    std::panic::set_hook(Box::new(|_| {}));
    for row in rows() {
        let what = row["what"].as_str().unwrap().to_owned();
        let i = seeds.entry(what.clone()).or_default();
        let seed = *i;
        *i += 1;
        if row.get("skip").is_some() {
            continue;
        }
        default_generator(Device::Cpu).unwrap().clone().manual_seed(seed);
        let result = catch(|| match what.as_str() {
            "sampler" => sampler_row(&row),
            "split" => split_row(&row),
            "sets" => sets_row(&row),
            _ => loader_row(&row),
        });
        *ran.entry(what.clone()).or_default() += 1;
        let error = row.get("error").or(row.get("pass_error"));
        match (result, error.map(|e| e["message"].as_str().unwrap())) {
            (Ok(()), None) => {}
            (Err(ours), Some(theirs)) if alike(&ours, theirs) => refused += 1,
            (ours, theirs) => failures.push(format!("{what} {seed} {row}: {ours:?}, PyTorch {theirs:?}")),
        }
    }
    let _ = std::panic::take_hook();
    let shown = failures.iter().take(20).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(failures.is_empty(), "{} failed:\n{shown}", failures.len());
    println!("count: {ran:?} rows of samplers, splits, sets and loaders agree with PyTorch, {refused} refuse");
    assert!(ran.values().sum::<usize>() >= 560 && refused >= 120, "{ran:?} {refused}");
}

/// Whether both say the same, but for how a class or an object prints.
fn alike(ours: &str, theirs: &str) -> bool {
    let object = |text: &str| {
        let cut = text.split("but got sampler=").next().unwrap_or(text);
        let cut = cut.split("but got batch_sampler=").next().unwrap_or(cut);
        cut.split("but got a ").next().unwrap_or(cut).to_owned()
    };
    object(ours) == object(theirs)
}
