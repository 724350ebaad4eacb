//! Layers read from named tensors.

use crate::kernels::{Conv3x3, HeadNorms, LayerNorm, Linear};
use crate::weights::{Weights, WeightsError};

type Read<T> = Result<T, WeightsError>;

pub(super) fn vector(weights: &mut Weights, name: &str, length: usize) -> Read<Vec<f32>> {
    weights.floats(name, &[length])
}

pub(super) fn linear(
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Read<Linear> {
    let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs])?;
    Ok(Linear::new(
        &weight,
        weights.floats(&format!("{name}.bias"), &[outputs])?,
    ))
}

/// A 1x1 convolution, which is a layer over the channels of each position.
pub(super) fn conv1x1(
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Read<Linear> {
    let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs, 1, 1])?;
    Ok(Linear::new(
        &weight,
        weights.floats(&format!("{name}.bias"), &[outputs])?,
    ))
}

pub(super) fn conv3x3(
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    outputs: usize,
) -> Read<Conv3x3> {
    let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs, 3, 3])?;
    Ok(Conv3x3::new(
        &weight,
        weights.floats(&format!("{name}.bias"), &[outputs])?,
    ))
}

/// A 1x1 convolution before a pixel shuffle by `factor`, whose outputs are put in the order of
/// [`super::decoder::unfold`]: place in the square first, then channel.
pub(super) fn conv1x1_unfolding(
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    channels: usize,
    factor: usize,
) -> Read<Linear> {
    let places = factor * factor;
    let outputs = channels * places;
    let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs, 1, 1])?;
    let bias = weights.floats(&format!("{name}.bias"), &[outputs])?;
    Ok(Linear::new(
        &places_first(&weight, channels, places),
        places_first(&bias, channels, places),
    ))
}

/// The same for a 3x3 convolution.
pub(super) fn conv3x3_unfolding(
    weights: &mut Weights,
    name: &str,
    inputs: usize,
    channels: usize,
    factor: usize,
) -> Read<Conv3x3> {
    let places = factor * factor;
    let outputs = channels * places;
    let weight = weights.floats(&format!("{name}.weight"), &[outputs, inputs, 3, 3])?;
    let bias = weights.floats(&format!("{name}.bias"), &[outputs])?;
    Ok(Conv3x3::new(
        &places_first(&weight, channels, places),
        places_first(&bias, channels, places),
    ))
}

/// From rows in the order (channel, place), as PyTorch's pixel shuffle has them, to (place,
/// channel). A row is one output's weights, or its bias.
fn places_first(rows: &[f32], channels: usize, places: usize) -> Vec<f32> {
    let row = rows.len() / (channels * places);
    let mut sorted = Vec::with_capacity(rows.len());
    for place in 0..places {
        for channel in 0..channels {
            sorted.extend_from_slice(&rows[(channel * places + place) * row..][..row]);
        }
    }
    sorted
}

pub(super) fn layer_norm(weights: &mut Weights, name: &str, width: usize) -> Read<LayerNorm> {
    let weight = weights.floats(&format!("{name}.weight"), &[width])?;
    let bias = weights.floats(&format!("{name}.bias"), &[width])?;
    Ok(LayerNorm {
        weight,
        bias,
        epsilon: 1e-5,
    })
}

pub(super) fn head_norms(
    weights: &mut Weights,
    queries: &str,
    keys: &str,
    d: usize,
) -> Read<HeadNorms> {
    Ok(HeadNorms {
        queries: weights.floats(queries, &[d])?,
        keys: weights.floats(keys, &[d])?,
        epsilon: 1e-6,
    })
}
