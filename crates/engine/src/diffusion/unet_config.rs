//! `unet/config.json`: what is read, and what is refused because it can't be honoured.

use serde::Deserialize;
use serde_json::Value;

/// The U-Net's shape, one entry a level from the widest picture to the deepest.
#[derive(Clone, Debug)]
pub(super) struct UnetConfig {
    pub(super) in_channels: usize,
    pub(super) out_channels: usize,
    pub(super) block_out_channels: Vec<usize>,
    pub(super) layers_per_block: usize,
    /// Which levels look at the text.
    pub(super) looks: Vec<bool>,
    pub(super) heads: Vec<usize>,
    pub(super) transformer_layers: Vec<usize>,
    pub(super) cross_attention_dim: usize,
    pub(super) norm_num_groups: usize,
    pub(super) norm_eps: f64,
    pub(super) flip_sin_to_cos: bool,
    pub(super) freq_shift: f32,
    pub(super) added: Option<AddedShape>,
}

/// SDXL's "text_time": how wide a size's embedding is, and all of them with the pooled text.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddedShape {
    pub(super) size_width: usize,
    pub(super) inputs: usize,
}

impl UnetConfig {
    /// Both edges of a latent must be multiples of this.
    pub(super) fn factor(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EachOrAll {
    All(usize),
    Each(Vec<usize>),
}

impl EachOrAll {
    fn over(&self, levels: usize) -> Option<Vec<usize>> {
        match self {
            Self::All(n) => Some(vec![*n; levels]),
            Self::Each(list) => (list.len() == levels).then(|| list.clone()),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Raw {
    in_channels: usize,
    out_channels: usize,
    block_out_channels: Vec<usize>,
    layers_per_block: usize,
    down_block_types: Vec<String>,
    up_block_types: Vec<String>,
    cross_attention_dim: usize,
    /// The number of heads, in spite of its name.
    attention_head_dim: EachOrAll,
    num_attention_heads: Option<EachOrAll>,
    transformer_layers_per_block: Option<EachOrAll>,
    norm_num_groups: usize,
    norm_eps: f64,
    flip_sin_to_cos: bool,
    freq_shift: f32,
    addition_embed_type: Option<String>,
    addition_time_embed_dim: Option<usize>,
    projection_class_embeddings_input_dim: Option<usize>,
    #[serde(default)]
    act_fn: Option<String>,
    #[serde(default)]
    mid_block_type: Option<String>,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// Settings that change the network and that these layers don't have, with the only value that
/// leaves them out besides `null` and `false`.
const FOREIGN: [(&str, &str); 12] = [
    ("center_input_sample", ""),
    ("class_embed_type", ""),
    ("class_embeddings_concat", ""),
    ("dual_cross_attention", ""),
    ("encoder_hid_dim", ""),
    ("num_class_embeds", ""),
    ("only_cross_attention", ""),
    ("resnet_time_scale_shift", "default"),
    ("time_cond_proj_dim", ""),
    ("time_embedding_act_fn", ""),
    ("time_embedding_type", "positional"),
    ("timestep_post_act", ""),
];

impl Raw {
    pub(super) fn check(self) -> Result<UnetConfig, String> {
        let levels = self.block_out_channels.len();
        if levels == 0 || self.norm_num_groups == 0 {
            return Err("it has no blocks or no groups".into());
        }
        for (name, harmless) in FOREIGN {
            let honoured = match self.rest.get(name) {
                None | Some(Value::Null | Value::Bool(false)) => true,
                Some(value) => value.as_str().is_some_and(|value| value == harmless),
            };
            if !honoured {
                return Err(format!("{name} is set, which this engine can't honour"));
            }
        }
        if self.in_channels != self.out_channels {
            return Err("it takes more than a latent, as models for inpainting do".into());
        }
        let usual = |value: &Option<String>, wanted: &str| match value {
            Some(value) if value != wanted => Err(format!("{value} is unknown to this engine")),
            _ => Ok(()),
        };
        usual(&self.act_fn, "silu")?;
        usual(&self.mid_block_type, "UNetMidBlock2DCrossAttn")?;
        let looks = self.looks()?;
        let each = |list: &EachOrAll, name: &str| {
            list.over(levels)
                .ok_or_else(|| format!("{name} has not one entry a block"))
        };
        let heads = self
            .num_attention_heads
            .as_ref()
            .unwrap_or(&self.attention_head_dim);
        let heads = each(heads, "attention_head_dim")?;
        for (width, heads) in self.block_out_channels.iter().zip(&heads) {
            if *heads == 0 || !width.is_multiple_of(*heads) {
                return Err(format!("{width} channels can't be split on {heads} heads"));
            }
            if !width.is_multiple_of(self.norm_num_groups) {
                return Err(format!("{width} channels can't be split into groups"));
            }
        }
        let one = EachOrAll::All(1);
        let layers = self.transformer_layers_per_block.as_ref().unwrap_or(&one);
        let transformer_layers = each(layers, "transformer_layers_per_block")?;
        let added = self.added()?;
        Ok(UnetConfig {
            in_channels: self.in_channels,
            out_channels: self.out_channels,
            block_out_channels: self.block_out_channels,
            layers_per_block: self.layers_per_block,
            looks,
            heads,
            transformer_layers,
            cross_attention_dim: self.cross_attention_dim,
            norm_num_groups: self.norm_num_groups,
            norm_eps: self.norm_eps,
            flip_sin_to_cos: self.flip_sin_to_cos,
            freq_shift: self.freq_shift,
            added,
        })
    }

    fn looks(&self) -> Result<Vec<bool>, String> {
        let known = |types: &[String], plain: &str, crossed: &str| {
            let look = |name: &String| match name {
                name if name == plain => Ok(false),
                name if name == crossed => Ok(true),
                other => Err(format!("the block {other} is unknown to this engine")),
            };
            types
                .iter()
                .map(look)
                .collect::<Result<Vec<bool>, String>>()
        };
        let down = known(
            &self.down_block_types,
            "DownBlock2D",
            "CrossAttnDownBlock2D",
        )?;
        let mut up = known(&self.up_block_types, "UpBlock2D", "CrossAttnUpBlock2D")?;
        up.reverse();
        if down.len() == self.block_out_channels.len() && up == down {
            Ok(down)
        } else {
            Err("its way down and its way up don't match".into())
        }
    }

    fn added(&self) -> Result<Option<AddedShape>, String> {
        match self.addition_embed_type.as_deref() {
            None => Ok(None),
            Some("text_time") => {
                match (
                    self.addition_time_embed_dim,
                    self.projection_class_embeddings_input_dim,
                ) {
                    (Some(size_width), Some(inputs)) => Ok(Some(AddedShape { size_width, inputs })),
                    _ => Err("it adds text and sizes and doesn't say how wide".into()),
                }
            }
            Some(other) => Err(format!("the addition {other} is unknown to this engine")),
        }
    }
}
