//! Chains of transforms: tuples, lists, choices; images, tensors and what may be either.

use flambeau_data::Dataset;
use flambeau_vision::datasets::SyntheticDigits;
use flambeau_vision::transforms::functional as F;
use flambeau_vision::transforms::{
    self, CenterCrop, Compose, FiveCrop, Grayscale, Lambda, Normalize, OnImage, OnTensor, RandomChoice, RandomOrder,
    Resize, Sample, TenCrop, ToPILImage, ToTensor, Transform, v2,
};
use flambeau_vision::{Image, Mode};
use torch::Tensor;

fn image() -> Image {
    Image::new(Mode::RGB, (8, 6), (0..144).collect())
}

#[test]
fn a_list_gives_what_a_tuple_gives() {
    let tuple = Compose((Resize::new((4, 5)), ToTensor, Normalize::new([0.5, 0.4, 0.3], [0.2, 0.2, 0.2])));
    let list = Compose::new(vec![
        Box::new(Resize::new((4, 5))),
        Box::new(ToTensor),
        Box::new(Normalize::new([0.5, 0.4, 0.3], [0.2, 0.2, 0.2])),
    ]);
    let expected: Tensor = tuple.call(image());
    for found in [list.call(image()), list.call(&image()), list.call(Sample::from(image()))] {
        assert!(found.into_tensor().unwrap().equal(&expected));
    }
    // Tensors go through the same steps where these take them.
    let resized = Compose::new(transforms::steps![Resize::new(3), CenterCrop::new(2)]).call(&torch::ones([3, 6, 8]));
    assert!(resized.into_tensor().unwrap().equal(torch::ones([3, 2, 2])));
    let error = list.apply(torch::ones([3, 6, 8])).unwrap_err().to_string();
    assert_eq!(error, "pic should be PIL Image or ndarray. Got <class 'torch.Tensor'>");
}

#[test]
fn steps_of_one_kind_stand_in_lists() {
    let list = Compose::new(transforms::steps![
        OnImage(Lambda(|image: Image| image.convert(Mode::L))),
        ToTensor,
        OnTensor(Lambda(|x: Tensor| x.mul(2))),
        OnTensor(Lambda(|x: Tensor| x.sum())),
    ]);
    let grey = image().convert(Mode::L);
    let sum: f64 = grey.pixels().iter().map(|&v| f64::from(v) / 255.0 * 2.0).sum();
    assert!((list.call(image()).into_tensor().unwrap().item() - sum).abs() < 1e-4);
    let wrong = Compose::new(transforms::steps![OnTensor(Lambda(|x: Tensor| x))]);
    assert!(wrong.apply(image()).unwrap_err().to_string().contains("put ToTensor or PILToTensor among the steps"));
}

#[test]
fn several_crops_become_one_tensor() {
    let stack = Lambda(|crops: Vec<Image>| {
        let tensors: Vec<Tensor> = crops.into_iter().map(|crop| ToTensor.call(crop)).collect();
        torch::stack(tensors, 0)
    });
    assert_eq!(Compose((FiveCrop::new(4), stack)).call(image()).size(), [5, 3, 4, 4]);
    let ten: Vec<Tensor> = TenCrop::with((2, 3), |o| o.vertical_flip(true)).call(torch::rand([3, 6, 8]));
    assert_eq!((ten.len(), ten[9].size()), (10, torch::ones([3, 2, 3]).size()));
}

#[test]
fn choices_and_orders_are_random() {
    let add = |n: i64| OnTensor(Lambda(move |x: Tensor| x.mul(10).add(n)));
    let order = RandomOrder::new(transforms::steps![add(1), add(2), add(3)]);
    let choice = RandomChoice::with(transforms::steps![add(1), add(2), add(3)], |o| o.p([0.0, 3.0, 1.0]));
    let number = |sample: Sample| sample.into_tensor().unwrap().item() as i64;
    let (mut orders, mut choices) = (Vec::new(), [0; 4]);
    for _ in 0..300 {
        orders.push(number(order.call(torch::tensor(0))));
        choices[number(choice.call(torch::tensor(0))) as usize] += 1;
    }
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders, [123, 132, 213, 231, 312, 321]);
    assert!(choices[1] == 0 && choices[2] > 180 && choices[3] > 40, "{choices:?}");
}

#[test]
fn pixelwise_lists_keep_the_fast_path() {
    let list = Compose::new(transforms::steps![ToTensor, Normalize::new([0.1307], [0.3081])]);
    let set = SyntheticDigits::with(true, |o| o.length(6).transform(list).target_transform(|label| 9 - label));
    let (images, labels) = set.get_batch(&[4, 1]).unwrap().unwrap();
    for (i, index) in [4, 1].into_iter().enumerate() {
        let (image, label) = set.get(index).unwrap();
        assert!(images.i(i).equal(&image));
        assert_eq!(labels.i(i).item() as i64, label);
    }
    let other = Compose::new(transforms::steps![Resize::new(9), ToTensor]);
    assert!(SyntheticDigits::with(true, |o| o.length(6).transform(other)).get_batch(&[0]).is_none());
}

#[test]
fn v2_has_its_own_names() {
    let steps = Compose((
        v2::ToImage,
        v2::ToDtype::with(torch::float32, |o| o.scale(true)),
        Grayscale::with(|o| o.num_output_channels(3)),
    ));
    let x = steps.call(image());
    let grey = Grayscale::with(|o| o.num_output_channels(3)).call(ToTensor.call(image()));
    assert!(x.equal(&grey));
    assert_eq!(v2::ToDtype::new(torch::float32).call(v2::ToImage.call(image())).max().item(), 143.0);
    assert!(v2::Identity.call(&x).equal(&x));
    let back = ToPILImage::new().call(v2::functional::pil_to_tensor(image()));
    assert_eq!(back, image());
    // A perspective whose corners fall together has no solution.
    let [square, point] = [[[0, 0], [7, 0], [7, 7], [0, 7]], [[0, 0], [0, 0], [0, 0], [0, 0]]];
    let flat = std::panic::catch_unwind(|| F::perspective(torch::ones([3, 8, 8]), &square, &point));
    let said = *flat.unwrap_err().downcast::<String>().unwrap();
    assert!(said.contains("the input matrix does not have full rank (error code: 7)"), "{said}");
    assert!(ToPILImage::with(|o| o.mode(Mode::L)).apply(torch::ones([3, 2, 2])).is_err());
}
