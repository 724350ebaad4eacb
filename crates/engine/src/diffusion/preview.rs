//! A glance at an unfinished latent: each latent pixel becomes one pixel of a small picture.

use candle_core::{Result as Maths, Tensor};
use domain::picture::{Pixels, Size};

use super::layers::numbers;

/// A linear map from a latent's channels to red, green and blue, from -1 to 1.
#[derive(Clone, Debug)]
pub(super) struct Preview {
    /// One row a channel.
    colours: Vec<[f32; 3]>,
    /// What an empty latent looks like.
    base: [f32; 3],
}

impl Preview {
    /// `scaling` is the autoencoder's, and tells which of the two families it is.
    pub(super) fn new(channels: usize, scaling: f64) -> Self {
        // Fits over decoded pictures that their makers published: the first in thread 23204 of
        // Hugging Face's forum, the second in T. A. Vass, "Explaining the SDXL latent space".
        const SD: [[f32; 3]; 4] = [
            [0.298, 0.207, 0.208],
            [0.187, 0.286, 0.173],
            [-0.158, 0.189, 0.264],
            [-0.184, -0.271, -0.473],
        ];
        const SDXL: [[f32; 3]; 4] = [
            [0.47, 0.47, 0.47],
            [-0.47, -0.04, 0.08],
            [0.20, 0.12, -0.04],
            [-0.55, -0.39, -0.27],
        ];
        const SDXL_BASE: [f32; 3] = [0.18, 0.10, 0.02];
        match channels {
            4 if scaling < 0.15 => Self {
                colours: SDXL.to_vec(),
                base: SDXL_BASE,
            },
            4 => Self {
                colours: SD.to_vec(),
                base: [0.0; 3],
            },
            other => Self {
                colours: vec![[1.0 / other as f32; 3]; other],
                base: [0.0; 3],
            },
        }
    }

    /// `clean` is `[channels, h, w]`.
    pub(super) fn draw(&self, clean: &Tensor) -> Maths<Pixels> {
        let (channels, height, width) = clean.dims3()?;
        let values = numbers(clean)?;
        let area = height * width;
        let mut rgb = Vec::with_capacity(3 * area);
        for pixel in 0..area {
            for colour in 0..3 {
                let sum: f32 = (0..channels)
                    .map(|c| values[c * area + pixel] * self.colours[c][colour])
                    .sum();
                rgb.push(byte(self.base[colour] + sum));
            }
        }
        let edge = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Pixels::new(
            Size {
                width: edge(width),
                height: edge(height),
            },
            rgb,
        ))
    }
}

/// A colour from -1 to 1, whatever is outside cut off.
pub(super) fn byte(colour: f32) -> u8 {
    ((colour * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8
}
